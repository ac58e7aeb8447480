// Names for the ids of the audit: boards and fleets of the project, and users where one may know them.
import * as identityApi from '../../api/identity';
import { session } from '../../app/session.svelte';
import { ui } from '../../app/ui.svelte';
import { boards, fleets, plugins, services } from '../../live/stores';

export class Names {
  private users = $state.raw<ReadonlyMap<string, string>>(new Map());
  private asked = false;

  constructor() {
    for (const store of [boards, fleets, plugins, services]) store.ensure();
  }

  /** Users are known to who operates the cloud, when it looks after them itself. */
  ensure(): void {
    const settings = ui.ensure().current;
    if (this.asked || !settings || settings.identity || !session.may('operate')) return;
    this.asked = true;
    Promise.all([identityApi.users(), identityApi.projects()]).then(
      (lists) => (this.users = new Map(lists.flat().map((one) => [one.id, one.name]))),
      () => (this.asked = false),
    );
  }

  of(id: string): string | undefined {
    const me = session.current;
    if (id === me?.user.id) return me.user.name;
    return this.users.get(id) ?? [boards, fleets, plugins, services].map((store) => store.get(id)?.name).find(Boolean) ?? me?.projects.find((project) => project.id === id)?.name;
  }

  /** The id that a name means; what is no name is taken for an id. */
  idOf(name: string): string {
    const me = session.current;
    if (name === me?.user.name) return me.user.id;
    const user = [...this.users].find(([, known]) => known === name)?.[0];
    return user ?? [boards, fleets, plugins, services].map((store) => store.items.find((one) => one.name === name)?.id).find(Boolean) ?? name;
  }

  /** Names that may be typed. */
  get known(): string[] {
    return [...new Set([session.current?.user.name ?? '', ...this.users.values(), ...boards.items.slice(0, 500).map((board) => board.name)])].filter(Boolean);
  }
}
