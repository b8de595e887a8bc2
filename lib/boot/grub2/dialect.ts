/** GRUB 2's grub.cfg as a boot dialect: where it lies, and what PVGrub's environment looks like. */
import { type ByteString, fromBytes } from '../../bytes/text';
import { readWhole } from '../../fs/file';
import type { BootContext, BootDialect, BootMenu, ConfigFile } from '../model';
import { Commands } from './commands';
import { Environment, Layered } from './environment';
import { Interpreter } from './evaluate';
import { evaluateTop } from './menu';

/** Set by GRUB's normal mode (normal/main.c), all to `y`; scripts ask for them. */
const FEATURES = [
  'feature_chainloader_bpb',
  'feature_ntldr',
  'feature_platform_search_hint',
  'feature_default_font_path',
  'feature_all_video_module',
  'feature_menuentry_id',
  'feature_menuentry_options',
  'feature_200_final',
  'feature_nativedisk_cmd',
  'feature_timeout_style',
  'feature_search_cryptodisk_only',
];

/** What a script finds set when it starts under PVGrub (platform `xen`). */
function initialEnvironment(config: ConfigFile): Environment {
  const environment = new Environment();
  const { volume, path } = config;
  const prefix = `(${volume.name})${path.slice(0, path.lastIndexOf('/'))}`;
  environment.provide('root', volume.name, true);
  environment.provide('prefix', prefix, true);
  environment.provide('cmdpath', prefix);
  environment.provide('grub_platform', 'xen');
  environment.provide('grub_cpu', 'x86_64');
  environment.provide('color_normal', 'light-gray/black', true);
  environment.provide('color_highlight', 'black/light-gray', true);
  environment.provide('check_signatures', 'no', true);
  for (const name of ['pager', 'lang', 'locale_dir', 'secondary_locale_dir'])
    environment.provide(name, '', true);
  for (const name of FEATURES) environment.provide(name, 'y');
  // SUSE's GRUB exports it; what is found in the default subvolume is read by a GRUB that begins there.
  if (config.relative || config.fs.seenBy)
    environment.provide('btrfs_relative_path', config.relative ? 'y' : '');
  environment.provideClock();
  return environment;
}

/** The scope in which a configuration starts. */
export const freshScope = (config: ConfigFile, ctx: BootContext): Interpreter =>
  new Interpreter(
    { context: ctx, commands: new Commands() },
    {
      environment: initialEnvironment(config),
      functions: new Layered(),
      // What the script adds (loopback) belongs to this evaluation alone.
      guest: ctx.guest.fork(),
      home: config.volume,
      writtenFiles: new Map(),
      memory: new Map(),
      budget: ctx.budget.child('evaluation', 'the configuration'),
      level: 0,
    },
  );

export const grub2: BootDialect = {
  name: 'grub2',
  paths: ['/boot/grub/grub.cfg', '/grub/grub.cfg', '/boot/grub2/grub.cfg', '/grub2/grub.cfg'],
  evaluate(config: ConfigFile, ctx: BootContext): BootMenu {
    const text: ByteString = fromBytes(readWhole(config.fs, config.node, 'configBytes', ctx));
    return evaluateTop(freshScope(config, ctx), text, `(${config.volume.name})${config.path}`);
  },
};
