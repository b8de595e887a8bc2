/** Proxies by environment, as curl and wget read it: `http_proxy` (never HTTP_PROXY, which a CGI's client could set), `https_proxy`, `all_proxy`, `no_proxy`. */
import { GuestError } from '../bytes/errors';
import { shown } from './tree';

/** The proxy for this URL, or undefined. @throws GuestError `unsupported` for one that is not spoken to by plain http */
export function proxyFor(url: URL, environment: NodeJS.ProcessEnv): URL | undefined {
  const set = (...names: string[]): string | undefined =>
    names.map((name) => environment[name]?.trim()).find((value) => value !== undefined && value !== '');
  const named =
    (url.protocol === 'https:' ? set('https_proxy', 'HTTPS_PROXY') : set('http_proxy')) ??
    set('all_proxy', 'ALL_PROXY');
  if (named === undefined || excepted(url, set('no_proxy', 'NO_PROXY') ?? '')) return undefined;
  let proxy: URL;
  try {
    proxy = new URL(/^[a-z][a-z0-9+.-]*:\/\//i.test(named) ? named : `http://${named}`);
  } catch {
    throw new GuestError(
      'unsupported',
      `the environment names a proxy that is no URL: '${shown(named, 100)}'`,
    );
  }
  if (proxy.protocol !== 'http:')
    throw new GuestError(
      'unsupported',
      `the environment names a proxy of another kind than http: '${proxy.protocol}'`,
    );
  return proxy;
}

/** Items of no_proxy: `*`, a host, a domain with or without its leading dot, each with a port or without. */
function excepted(url: URL, list: string): boolean {
  const host = url.hostname.toLowerCase().replace(/^\[|\]$/g, '');
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  return list.split(/[\s,]+/).some((item) => {
    if (item === '') return false;
    if (item === '*') return true;
    const [, name, only] = /^\[?([^\]]*?)\]?(?::([0-9]+))?$/.exec(item.toLowerCase()) ?? [];
    const whole = (item.match(/:/g)?.length ?? 0) > 1 && !item.startsWith('[') ? item.toLowerCase() : name!;
    if (whole === name && only !== undefined && only !== port) return false;
    const domain = whole.replace(/^\*?\./, '');
    return host === domain || host.endsWith(`.${domain}`);
  });
}

/** `Proxy-Authorization` of a proxy whose URL has a user. */
export function credentials({ username, password }: URL): string | undefined {
  if (username === '') return undefined;
  return `Basic ${Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64')}`;
}
