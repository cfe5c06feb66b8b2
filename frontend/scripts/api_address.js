// Where the API is, and the key that it may want. index.html has the same rules, but no modules: it works as a file, too.

/** Reads ?api=; without it the API is where the page came from. Returns { given, address } or { given, problem }. */
export function readApiAddress({ search, origin }) {
  const given = (new URLSearchParams(search).get('api') ?? '').trim();
  const url = webUrl(given || origin);
  if (!url) {
    return { given, problem: `“${given}” cannot be the address of an API. It must begin with http:// or https://, as in http://localhost:7071.` };
  }
  return { given, address: url.origin + url.pathname.replace(/\/+$/, '') };
}

/** The URL in `text`, or null if it is none or not one of the web. */
export function webUrl(text) {
  const url = URL.canParse(text) ? new URL(text) : null;
  return url && /^https?:$/.test(url.protocol) ? url : null;
}

/** Remembers a key until the tab is closed. Each API has its own, so a link with another ?api= never gets it. */
export function keyring(address) {
  const name = `key for ${address}`;
  const attempt = (action) => {
    try {
      return action();
    } catch {
      return null; // a browser that keeps nothing for this page: the key lasts until it is reloaded
    }
  };
  return {
    read: () => attempt(() => sessionStorage.getItem(name)) ?? '',
    keep: (key) => attempt(() => sessionStorage.setItem(name, key)),
    forget: () => attempt(() => sessionStorage.removeItem(name)),
  };
}
