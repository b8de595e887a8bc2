/** A menu whose every target is judged, however a person or a configuration comes to it. */
import type {
  BootContext,
  BootMenu,
  BootTarget,
  ConfigFile,
  MenuEntry,
  Shell,
  ShellResult,
} from '../boot/model';
import { fromHost } from '../bytes/text';

export interface Judge {
  target(target: BootTarget): BootTarget;
  /** Why entries may not be edited; undefined: they may, as far as the guest allows. */
  readonly locked: string | undefined;
}

/** Every member of an entry but what is judged is the entry's own, asked for when it is asked for here. */
class JudgedEntry implements Required<MenuEntry> {
  declare open: () => BootMenu;

  constructor(
    readonly inner: MenuEntry,
    readonly wrap: (menu: BootMenu) => BootMenu,
    readonly judge: Judge,
  ) {
    // Where it is absent the entry is no submenu.
    if (inner.open) this.open = () => wrap(inner.open!());
  }

  get title() {
    return this.inner.title;
  }

  get id() {
    return this.inner.id;
  }

  get text() {
    return this.inner.text;
  }

  get hidden() {
    return this.inner.hidden as boolean;
  }

  get hotkey() {
    return this.inner.hotkey as string;
  }

  get classes() {
    return this.inner.classes as readonly string[];
  }

  get users() {
    return this.inner.users as readonly string[];
  }

  get password() {
    return this.inner.password as NonNullable<MenuEntry['password']>;
  }

  resolve(edited?: string): BootTarget {
    return judged(this.inner.resolve(edited), this.wrap, this.judge);
  }
}

function judged(target: BootTarget, wrap: (menu: BootMenu) => BootMenu, judge: Judge): BootTarget {
  const result = judge.target(target);
  return target.menu ? { ...result, menu: wrap(target.menu) } : result;
}

export function judgedMenu(menu: BootMenu, config: ConfigFile, ctx: BootContext, judge: Judge): BootMenu {
  const wrap = (inner: BootMenu) => judgedMenu(inner, config, ctx, judge);
  const shell = (): Shell => {
    const inner =
      menu.shell?.() ??
      (require('../boot/grub2/shell') as typeof import('../boot/grub2/shell')).shellFor(config, ctx);
    return {
      run(line): ShellResult {
        const result = inner.run(line);
        const target = result.target && judged(result.target, wrap, judge);
        // Whoever is told `boot` boots.
        if (target && target.problem !== null)
          return { output: `${result.output}error: ${fromHost(target.problem)}.\n`, how: 'done' };
        return {
          ...result,
          ...(target ? { target } : {}),
          ...(result.menu ? { menu: wrap(result.menu) } : {}),
        };
      },
      complete: (line, cursor) => inner.complete(line, cursor),
      reset: () => inner.reset(),
    };
  };
  const { immediate, unlocked } = menu;
  const changes: Partial<BootMenu> = {
    entries: menu.entries.map((entry) => new JudgedEntry(entry, wrap, judge)),
    shell,
    ...(immediate ? { immediate: judged(immediate, wrap, judge) } : {}),
    ...(unlocked ? { unlocked: () => wrap(unlocked.call(menu)) } : {}),
    ...(judge.locked === undefined ? {} : { editable: false, locked: judge.locked }),
  };
  // The others as they are: colours, for one, are asked for only when they are shown.
  return Object.create(Object.getPrototypeOf(menu), {
    ...Object.getOwnPropertyDescriptors(menu),
    ...Object.getOwnPropertyDescriptors(changes),
  });
}
