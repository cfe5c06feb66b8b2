// The page of the API: what openapi.json says, and a form at each operation to try it.
import { keyring, readApiAddress } from '../api_address.js';
import { addressOf, curlLine, missing, imageMark, pretty, requestOf } from './request.js';
import { loadLibraries } from '../libraries.js';
import { paragraphs, readGroups } from './openapi.js';

const boot = document.getElementById('boot');
const stop = (words) => (error) => {
  boot.textContent = words(error);
  throw error;
};
const { Vue } = await loadLibraries(['Vue']).catch(stop(({ message }) => (
  `This page cannot start: ${message} There is no copy in frontend/vendor (“npm ci” in the folder frontend makes one), `
  + 'and the CDN cannot be reached or sent another file than the pinned one.')));
const openapi = await readJson('openapi.json').catch(stop(() => (
  'This page cannot start: openapi.json should be beside it, and is not. “python -m tools.openapi” makes it.')));
const samples = await readJson('samples/samples.json').catch(() => []);
const { createApp, reactive } = Vue;

async function readJson(name) {
  const response = await fetch(name);
  if (!response.ok) throw new Error(`${name}: HTTP ${response.status}`);
  return response.json();
}

const api = readApiAddress(location);
const keys = keyring(api.address);
const groups = readGroups(openapi);
const exampleAddress = 'https://example.com/cat.png';
const sampleUrl = (file) => new URL(`samples/${file}`, document.baseURI).href;

/** Text with `code` in it, as paragraphs; never as markup. */
const words = {
  props: { parts: { type: Array, required: true } },
  template: `<p v-for="paragraph in parts"><template v-for="part in paragraph"><code v-if="part.code">{{ part.code }}</code><template v-else>{{ part.text }}</template></template></p>`,
};

/** One operation: what it takes, what it answers, and a form to try it. */
const operation = {
  components: { words },
  props: { one: { type: Object, required: true }, keyGiven: { type: String, required: true } },
  data() {
    const { parameters, bodies } = this.one;
    return {
      values: Object.fromEntries(parameters.map(({ name, required, example, choices }) => (
        [name, required ? this.fill(example ?? choices?.[0] ?? '') : '']))),
      type: bodies[0]?.type ?? '',
      texts: Object.fromEntries(bodies.map(({ type, example }) => [type, this.fill(JSON.stringify(example, null, 2) ?? '')])),
      sample: samples[0]?.file ?? '', file: null,
      isBusy: false, problem: '', answer: null, copied: '', samples,
    };
  },
  computed: {
    body() {
      const body = this.one.bodies.find(({ type }) => type === this.type);
      // The address as ?img= is instead of a body.
      return this.values.img && this.one.method === 'POST' ? undefined : body;
    },
    wantsFile() {
      return this.body && (this.body.kind !== 'json' || this.texts[this.type].includes(imageMark));
    },
    url() {
      return addressOf(api.address ?? '', this.one, this.values);
    },
    curl() {
      const fileName = this.file?.name ?? (this.sample || 'cat.png');
      return curlLine(this.url, this.one.method, this.body, { fileName, text: this.texts[this.type], key: this.keyGiven });
    },
  },
  methods: {
    /** An example that works here: a sample image's address for the one that stands for any. */
    fill: (text) => (samples.length ? String(text).replaceAll(exampleAddress, sampleUrl(samples[0].file)) : String(text)),

    choose(event) {
      [this.file = null] = event.target.files;
    },

    async readFile() {
      if (this.file) return this.file;
      const response = await fetch(sampleUrl(this.sample));
      return Object.assign(await response.blob(), { name: this.sample });
    },

    async send() {
      const lacking = missing(this.one, this.values);
      this.problem = lacking.length ? `Fill in ${lacking.join(', ')}.` : '';
      if (!lacking.length && this.wantsFile && !this.file && !this.sample) this.problem = 'Choose an image.';
      if (this.problem) return;
      Object.assign(this, { isBusy: true, answer: null });
      const started = performance.now();
      try {
        const file = this.wantsFile ? await this.readFile() : null;
        const request = await requestOf(this.one.method, this.body, { file, text: this.texts[this.type], key: this.keyGiven });
        const response = await fetch(this.url, { ...request, cache: 'no-store' });
        const text = pretty(await response.text());
        const told = ['Content-Type', 'Server-Timing', 'X-Model', 'X-Engine', 'Retry-After', 'WWW-Authenticate'];
        this.answer = {
          status: response.status, isGood: response.ok, text, ms: Math.round(performance.now() - started),
          headers: told.filter((name) => response.headers.has(name)).map((name) => `${name}: ${response.headers.get(name)}`).join('\n'),
        };
        if (response.status === 401) this.$emit('refused');
      } catch {
        this.problem = `No answer came from ${api.address}: it may not be running, or it may not let pages from elsewhere call this path (CORS).`;
      } finally {
        this.isBusy = false;
      }
    },

    async copy() {
      try {
        await navigator.clipboard.writeText(this.curl);
        this.copied = 'Copied';
      } catch {
        getSelection().selectAllChildren(this.$refs.curl); // browsers give the clipboard to https and localhost only
        this.copied = 'Selected';
      }
    },
  },
  emits: ['refused'],
  template: '#operation',
};

const state = reactive({ key: keys.read(), keyTyped: '', keyProblem: '', isRefused: false, opened: {} });

const app = createApp({
  components: { words, operation },
  data: () => ({ api, groups, state, info: openapi.info, introduction: paragraphs(openapi.info.description) }),
  computed: {
    links() {
      const query = api.given && api.address ? `?${new URLSearchParams({ api: api.given })}` : '';
      return { image: `index.html${query}`, live: `live.html${query}` };
    },
  },
  methods: {
    saveKey() {
      const key = state.keyTyped.trim();
      state.keyProblem = key && /^[\x21-\x7e]+$/.test(key) ? '' : 'A key is one word of plain letters, digits and signs; paste it here.';
      if (state.keyProblem) return;
      keys.keep(key);
      Object.assign(state, { key, keyTyped: '', isRefused: false });
    },
    forgetKey() {
      keys.forget();
      state.key = '';
    },
    toggle(id, event) {
      state.opened[id] = event.target.open;
    },
    /** Opens the operation that the address names, as a link in the list does. */
    async follow() {
      const id = decodeURIComponent(location.hash.slice(1));
      if (!groups.some(({ operations }) => operations.some((one) => one.id === id))) return;
      state.opened[id] = true;
      await this.$nextTick();
      document.getElementById(id).scrollIntoView();
      document.querySelector(`#${id} summary`).focus({ preventScroll: true });
    },
  },
  mounted() {
    addEventListener('hashchange', this.follow);
  },
});

const page = app.mount('#app');
boot.remove();
document.getElementById('app').hidden = false;
page.follow();
