// Where the person is. Links are plain links; this takes over clicks on those that stay within the pages.
import { BASE, match, type Route } from './routes';

class Router {
  path = $state(location.pathname);
  search = $state(location.search);
  route: Route = $derived(match(this.path));
  query = $derived(new URLSearchParams(this.search));
  private guard: (() => boolean) | undefined;

  start(): void {
    window.addEventListener('popstate', () => this.read());
    document.addEventListener('click', (event) => this.click(event));
    window.addEventListener('beforeunload', (event) => {
      if (this.guard && !this.guard()) event.preventDefault();
    });
  }

  go(address: string): void {
    if (!this.mayLeave(address)) return;
    history.pushState(null, '', address);
    this.read();
    document.querySelector('main')?.scrollTo(0, 0);
  }

  /** Changes the query in place: filters are part of the address and need no step back each. */
  setQuery(query: URLSearchParams): void {
    const text = query.toString();
    history.replaceState(null, '', this.path + (text ? `?${text}` : ''));
    this.search = text ? `?${text}` : '';
  }

  /** Asked before the person leaves something unsaved; false stays. */
  setGuard(guard: (() => boolean) | undefined): void {
    this.guard = guard;
  }

  private mayLeave(address: string): boolean {
    const path = new URL(address, location.href).pathname;
    return path === this.path || !this.guard || this.guard();
  }

  private read(): void {
    this.path = location.pathname;
    this.search = location.search;
  }

  private click(event: MouseEvent): void {
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = (event.target as Element | null)?.closest?.('a');
    if (!link || link.target || link.hasAttribute('download') || link.origin !== location.origin) return;
    if (link.pathname !== BASE && !link.pathname.startsWith(`${BASE}/`)) return;
    event.preventDefault();
    this.go(link.pathname + link.search);
  }
}

export const router = new Router();
