// The live page: what comes over the feed is counted at once (statistics.js) and painted a few times a second.
import { keyring, readApiAddress, webUrl } from '../api_address.js';
import { openFeed } from './feed.js';
import { loadLibraries } from '../libraries.js';
import { throughputPlot } from './throughput_plot.js';
import { createTally, kept } from './statistics.js';

const paintEvery = 100; // milliseconds
// Nobody can see more, and each may be a download of its own. Above it the lists change once a second.
const imagesPerSecond = 50;

const boot = document.getElementById('boot');
const { Vue, signalR } = await loadLibraries().catch((error) => {
  boot.textContent = `This page cannot start: ${error.message} There is no copy in frontend/vendor (“npm ci” in the folder frontend makes one), `
    + 'and the CDN cannot be reached or sent another file than the pinned one.';
  throw error;
});
const { computed, createApp, nextTick, onMounted, ref, shallowRef } = Vue;

// --- Words and numbers

const inEnglish = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });
const inPercent = new Intl.NumberFormat('en', { style: 'percent', maximumSignificantDigits: 3 });
const inTenths = new Intl.NumberFormat('en', { style: 'percent', minimumFractionDigits: 1, maximumFractionDigits: 1 });
const number = (value) => inEnglish.format(value >= 100 ? Math.round(value) : value);

/** 1 -> "100%", 0.9999987 -> ">99.9%": never a false 100. */
function percent(probability) {
  if (probability < 1e-4 && probability > 0) return '<0.01%';
  const text = inPercent.format(probability);
  return text === '100%' && probability < 1 ? '>99.9%' : text;
}

const clockTime = (at) => new Date(at).toLocaleTimeString('en-GB');

/** The URLs that may be shown as an image: those of the web, and data URLs of images. */
function imageSource(url) {
  if (/^data:image\/[a-z0-9.+-]+[;,]/i.test(url)) return url;
  return webUrl(url)?.href ?? '';
}

/** An address without what does not help to recognise it. */
function shortUrl(text) {
  if (text.startsWith('data:')) return `${text.slice(0, text.search(/[;,]|$/))}, ${number(text.length)} characters`;
  return text.replace(/^https?:\/\//, '');
}

// --- Parts

/** An image with a placeholder for one that cannot be shown. */
const resultImage = {
  props: { url: { type: String, required: true } },
  setup: ({ url }) => ({ src: imageSource(url), isBroken: ref(false) }),
  template: `
    <img v-if="src && !isBroken" :src="src" alt="" width="112" height="112" loading="lazy" decoding="async" referrerpolicy="no-referrer" @error="isBroken = true">
    <svg v-else class="broken" viewBox="0 0 24 24" role="img" aria-label="The image cannot be shown">
      <path d="M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M3 3l18 18"/>
    </svg>`,
};

// --- The page

function setup() {
  const api = readApiAddress(location);
  const keys = keyring(api.address);
  const tally = createTally();

  // Each holds one plain snapshot: Vue compares nothing inside of it.
  const counts = shallowRef(tally.counts());
  const lists = shallowRef(tally.lists());
  const rates = shallowRef(tally.rates());
  const connection = shallowRef({ name: 'connecting', problem: null, again: false, retryAt: 0 });
  const now = ref(performance.now());
  const arrived = ref(0); // serial of the newest entry, and of the newest that is shown
  const shown = ref(0);
  const isHeld = ref(false);

  // --- Painting

  let timer = null;
  let paintedAt = -Infinity;
  let listsAt = -Infinity;

  /** A page that nobody sees goes on counting, and paints when it is seen again. */
  function paintSoon() {
    if (timer !== null || document.hidden) return;
    timer = setTimeout(paint, Math.max(0, paintedAt + paintEvery - performance.now()));
  }

  function paint() {
    timer = null;
    paintedAt = performance.now();
    counts.value = tally.counts();
    arrived.value = tally.serial();
    if (isHeld.value) return;
    const fresh = Math.min(arrived.value - shown.value, kept);
    if (paintedAt - listsAt >= fresh / imagesPerSecond * 1000) paintLists();
    else paintSoon();
  }

  function paintLists() {
    listsAt = performance.now();
    shown.value = arrived.value;
    lists.value = tally.lists();
  }

  function everySecond() {
    if (document.hidden) return;
    now.value = performance.now();
    rates.value = tally.rates();
  }

  function hold() {
    isHeld.value = !isHeld.value;
    paint();
  }

  function clear() {
    tally.clear();
    isHeld.value = false;
    paint();
    paintLists();
    everySecond();
  }

  // --- The connection

  const key = ref(keys.read());
  const keyTyped = ref('');
  const keyProblem = ref('');
  const keyField = ref(null);
  let feed = null;

  if (api.address) {
    feed = openFeed({
      signalR,
      address: api.address,
      readKey: () => key.value,
      handlers: {
        newResult(message) { tally.addResult(message); paintSoon(); },
        newFailure(message) { tally.addFailure(message); paintSoon(); },
      },
      onState(state) {
        connection.value = state;
        now.value = performance.now();
        // A user who is busy elsewhere on the page stays there.
        if (state.name === 'refused' && document.activeElement === document.body) nextTick(() => keyField.value?.focus());
      },
    });
  }

  function saveKey() {
    const typed = keyTyped.value.trim();
    keyProblem.value = /^[\x21-\x7e]+$/.test(typed) ? '' : 'A key is one word of plain letters, digits and signs; paste it here.';
    if (keyProblem.value) return;
    key.value = typed;
    keyTyped.value = '';
    keys.keep(typed);
    feed.restart();
  }

  function forgetKey() {
    key.value = '';
    keys.forget();
    feed.restart();
  }

  const isRefused = computed(() => connection.value.name === 'refused' || Boolean(connection.value.problem?.status));

  const connectionWords = computed(() => {
    const { name, again, retryAt, problem } = connection.value;
    if (name === 'refused') return 'wants a key';
    if (name === 'connected') return 'connected';
    if (name === 'connecting') return again ? 'connecting again…' : 'connecting…';
    const seconds = Math.ceil((retryAt - now.value) / 1000);
    const what = problem.status ? `refused (${problem.status})` : again ? 'reconnecting' : 'does not answer';
    return seconds > 0 ? `${what}, next try in ${seconds} s` : `${what}, trying now…`;
  });

  const spoken = computed(() => {
    const { name, problem } = connection.value;
    if (name === 'connected') return isHeld.value ? 'The lists are held.' : 'Connected.';
    return problem && name === 'waiting' ? `${problem.message} Trying again.` : '';
  });

  // --- The view

  const tagBars = computed(() => {
    const { top, others, total } = counts.value.tags;
    const bars = top.map(({ name, count }) => ({ key: `tag ${name}`, name: name ?? 'no tag', isNone: name === null, count }));
    if (others) bars.push({ key: 'others', name: 'others', isNone: true, count: others });
    const widest = Math.max(1, ...bars.map(({ count }) => count));
    return bars.map((bar) => ({ ...bar, share: inTenths.format(bar.count / total), width: bar.count / widest * 100 }));
  });

  const isEmpty = computed(() => !counts.value.done && !counts.value.failed);
  const waiting = computed(() => (isHeld.value ? arrived.value - shown.value : 0));
  const query = api.given && api.address ? `?${new URLSearchParams({ api: api.given })}` : '';
  const [pageLink, apiPageLink] = [`index.html${query}`, `api.html${query}`];

  onMounted(() => {
    setInterval(everySecond, 1000);
    document.addEventListener('visibilitychange', () => {
      if (document.hidden) return;
      everySecond();
      paintSoon();
      feed?.retryNow();
    });
    addEventListener('online', () => feed?.retryNow());
  });

  return {
    api, pageLink, apiPageLink, kept,
    counts, lists, rates, isEmpty, isHeld, waiting, tagBars, hold, clear,
    connection, connectionWords, isRefused, spoken, retryNow: () => feed.retryNow(),
    key, keyTyped, keyProblem, keyField, saveKey, forgetKey,
    number, percent, clockTime, shortUrl,
  };
}

createApp({ setup, components: { resultImage, throughputPlot } }).mount('#app');
boot.remove();
document.getElementById('app').hidden = false;
