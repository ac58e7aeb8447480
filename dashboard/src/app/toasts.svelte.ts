// Short words about what just happened. A toast about an operation follows it to its end.
import type { Failure } from '../api/request';

export interface Toast {
  key: number;
  tone: 'good' | 'bad' | 'plain';
  title: string;
  detail?: string | undefined;
  requestId?: string | null | undefined;
  operation?: string | undefined;
  undo?: { label: string; act: () => void } | undefined;
}

/** Most toasts at once; the oldest goes. */
const MAX_TOASTS = 4;
const STAY_MS = 6_000;

class Toasts {
  all = $state.raw<readonly Toast[]>([]);
  private next = 1;

  show(toast: Omit<Toast, 'key'>): number {
    const key = this.next++;
    this.all = [...this.all, { ...toast, key }].slice(-MAX_TOASTS);
    if (toast.tone !== 'bad' && !toast.operation) this.later(key);
    return key;
  }

  good(title: string, detail?: string): void {
    this.show({ tone: 'good', title, detail });
  }

  fail(failure: Failure, title: string): void {
    this.show({ tone: 'bad', title, detail: failure.problem.detail, requestId: failure.requestId });
  }

  drop(key: number): void {
    this.all = this.all.filter((toast) => toast.key !== key);
  }

  later(key: number): void {
    setTimeout(() => this.drop(key), STAY_MS);
  }
}

export const toasts = new Toasts();
