// Lays out the static site in frontend/dist: the pages, their scripts and samples, and nothing else of the folder.
import { cp, mkdir, readdir, rm } from "node:fs/promises";

const frontend = new URL("../../frontend/", import.meta.url);
const dist = new URL("dist/", frontend);
const isPage = (name) => name.endsWith(".html") || name === "openapi.json";
const folders = new Set(["samples", "scripts", "vendor"]); // vendor/ is there after npm ci; without it the pages use a CDN

await rm(dist, { recursive: true, force: true });
await mkdir(dist);
for (const name of await readdir(frontend)) {
  if (isPage(name) || folders.has(name)) {
    await cp(new URL(name, frontend), new URL(name, dist), {
      recursive: true,
      filter: (source) => !source.endsWith(".mjs"), // what npm runs
    });
  }
}
