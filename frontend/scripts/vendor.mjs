// Copies the scripts that the pages load from node_modules/ to vendor/, where any static host can serve them.
// `npm ci` runs it. package-lock.json holds the hash of each package, so a copy made by it is the pinned one.
import { copyFile, mkdir } from "node:fs/promises";

const scripts = {
  "signalr.min.js": "@microsoft/signalr/dist/browser/signalr.min.js",
  "vue.global.prod.js": "vue/dist/vue.global.prod.js",
};

const here = (path) => new URL(`../${path}`, import.meta.url);

await mkdir(here("vendor/"), { recursive: true });
for (const [name, source] of Object.entries(scripts)) {
  await copyFile(here(`node_modules/${source}`), here(`vendor/${name}`));
}
