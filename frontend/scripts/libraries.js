// The libraries of the pages. The copies that `npm ci` puts into vendor/ come first: they need no network.
// Where there are none, the same files come from a CDN, and the browser checks their hash.

const libraries = {
  Vue: {
    local: 'vendor/vue.global.prod.js',
    cdn: 'https://cdn.jsdelivr.net/npm/vue@3.5.45/dist/vue.global.prod.js',
    integrity: 'sha384-K2FjvpG1y48yCE+7CBPhnKc16ShPmT3dlNwvoA3dhjV18+L5ugI0P8PWPvdjm/Fa',
  },
  signalR: {
    local: 'vendor/signalr.min.js',
    cdn: 'https://cdn.jsdelivr.net/npm/@microsoft/signalr@10.0.11/dist/browser/signalr.min.js',
    integrity: 'sha384-N+pL/4qXZHZcvsa6hVMd5/7cdF3lC59ZMNHeQyRo5q9jmC7yw0hcJILPjUDSU7ZS',
  },
};

/** Loads them: { Vue, signalR }. Throws an Error whose message says which one is missing. */
export async function loadLibraries(names = Object.keys(libraries)) {
  const loaded = await Promise.all(names.map(async (name) => {
    const { local, cdn, integrity } = libraries[name];
    const library = await loadScript(name, local)
      .catch(() => loadScript(name, cdn, { integrity, crossOrigin: 'anonymous' }));
    return [name, library];
  }));
  return Object.fromEntries(loaded);
}

function loadScript(name, src, attributes = {}) {
  return new Promise((resolve, reject) => {
    const script = Object.assign(document.createElement('script'), { ...attributes, src });
    // A host that answers every path with some HTML page "loads" too, but leaves no library behind.
    const missing = () => reject(new Error(`${name} could not be loaded from ${src}.`));
    script.onload = () => (window[name] ? resolve(window[name]) : missing());
    script.onerror = missing;
    document.head.append(script);
  });
}
