// Counts what arrives and keeps the newest of it. Plain numbers and arrays, no Vue: the page takes a copy when it paints.
// However long the page stays open and whatever the messages hold, this needs a bounded amount of memory.

export const kept = 50; // results and failures in the lists
export const plotSeconds = 180;

const rateSeconds = 5;
const longestText = 300;
const longestUrl = 10_000; // the API takes 8192 characters
const mostNames = 1000;
const idsPerGeneration = 100_000;

export const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

export function createTally(clock = () => performance.now()) {
  let done, failed, repeats, first, results, failures, tags, codes, ids, rates, serial = 0;
  clear();

  function clear() {
    done = failed = repeats = 0;
    first = null; // second of the first message
    results = [];
    failures = [];
    tags = createNames();
    codes = createNames();
    ids = createRecentIds();
    rates = createRates();
  }

  const second = () => Math.floor(clock() / 1000);

  /** True if this message came before. A failed one that was queued again and is done now is no repeat. */
  function isRepeat(kind, id) {
    if (id === undefined || id === null || !ids.hasOrAdd(fingerprint(`${kind} ${id}`))) return false;
    repeats += 1;
    return true;
  }

  function keep(list, entry) {
    serial += 1;
    list.push({ key: serial, at: Date.now(), ...entry });
    if (list.length >= 4 * kept) list.splice(0, list.length - kept);
  }

  const newest = (list) => list.slice(-kept).reverse();

  return {
    clear,

    addResult(message) {
      const { id, url, predictedTagName, probability, prediction } = asObject(message);
      if (isRepeat('done', id)) return;
      first ??= second();
      done += 1;
      rates.add(second(), 0);
      const tag = typeof predictedTagName === 'string' ? text(predictedTagName) : null;
      tags.add(tag);
      keep(results, { url: text(url, longestUrl), tag, probability: readProbability(probability, predictedTagName, prediction) });
    },

    addFailure(message) {
      const { id, url, text: queued, error } = asObject(message);
      if (isRepeat('failed', id)) return;
      first ??= second();
      failed += 1;
      rates.add(second(), 1);
      const { code, message: reason } = asObject(error);
      codes.add(text(code) || 'Error');
      // A text that is no URL is shown itself.
      keep(failures, { what: text(url) || text(queued) || 'a message without text', code: text(code) || 'Error', reason: text(reason) || 'No reason was given.' });
    },

    /** Changes with every message that is shown in a list. */
    serial: () => serial,

    counts: () => ({ done, failed, repeats, tags: tags.top(10), codes: codes.top(4) }),

    lists: () => ({ results: newest(results), failures: newest(failures) }),

    /** Of the last whole seconds, oldest first: { done: [180 numbers], failed: [180 numbers], seconds, perSecond }. */
    rates() {
      const now = second();
      const series = rates.read(now);
      const seconds = Math.min(plotSeconds, Math.max(1, now - (first ?? now))); // since the first message
      const recent = Math.min(rateSeconds, seconds);
      const perSecond = (sum(series.done.slice(-recent)) + sum(series.failed.slice(-recent))) / recent;
      return { ...series, seconds, perSecond };
    },
  };
}

// --- Counting

/** How many in each second, of two kinds, for the last `plotSeconds` and the one that is under way. */
function createRates() {
  const slots = plotSeconds + 1;
  const counts = [new Uint32Array(slots), new Uint32Array(slots)];
  let newest = null;

  function advance(second) {
    newest ??= second;
    const from = Math.max(newest + 1, second - plotSeconds);
    for (let each = from; each <= second; each += 1) counts.forEach((kind) => { kind[each % slots] = 0; });
    newest = Math.max(newest, second);
  }

  return {
    add(second, kind) {
      advance(second);
      counts[kind][second % slots] += 1;
    },
    read(second) {
      advance(second);
      const [done, failed] = counts.map((kind) => Array.from({ length: plotSeconds }, (_, index) => kind[(second + 1 + index) % slots]));
      return { done, failed };
    },
  };
}

/** Counts by name. Names after the first thousand go into `others`. */
function createNames() {
  const counts = new Map();
  let total = 0;
  return {
    add(name) {
      total += 1;
      if (counts.has(name) || counts.size < mostNames) counts.set(name, (counts.get(name) ?? 0) + 1);
    },
    /** { total, others, top: [{ name, count }] }: the most frequent, and how many had another name. */
    top(length) {
      const sorted = [...counts].sort((a, b) => b[1] - a[1]);
      // Ten and one "other" would be a poor trade for eleven.
      const shown = sorted.length === length + 1 && counts.size < mostNames ? sorted : sorted.slice(0, length);
      const top = shown.map(([name, count]) => ({ name, count }));
      return { total, others: top.reduce((rest, { count }) => rest - count, total), top };
    },
  };
}

/** Remembers the last 100,000 to 200,000 ids: the queue gives a message again within minutes, if it does. */
function createRecentIds() {
  let young = new Set();
  let old = new Set();
  return {
    hasOrAdd(id) {
      if (young.has(id)) return true;
      const isKnown = old.has(id);
      young.add(id);
      if (young.size >= idsPerGeneration) [old, young] = [young, new Set()];
      return isKnown;
    },
  };
}

// --- Reading messages. They may hold anything: what is kept is short text and numbers.

const asObject = (value) => (value !== null && typeof value === 'object' ? value : {});

function text(value, longest = longestText) {
  const whole = typeof value === 'string' || typeof value === 'number' ? String(value) : '';
  // Joined, not sliced: a slice would keep the whole text in memory.
  return whole.length <= longest ? whole : `${[...whole.slice(0, longest)].join('')}…`;
}

/** 53 bits of an id, which may be long: two of 200,000 are the same by chance once in half a million runs. */
function fingerprint(id) {
  let [a, b] = [0x811c9dc5, 0x9747b28c];
  for (let index = 0; index < id.length; index += 1) {
    const unit = id.charCodeAt(index);
    a = Math.imul(a ^ unit, 0x01000193);
    b = Math.imul(b ^ unit, 0x5bd1e995);
    b ^= b >>> 15;
  }
  return (a >>> 0) * 2 ** 21 + (b >>> 11);
}

/** The probability of the predicted tag; older senders have it in `prediction` only. Null if there is none. */
function readProbability(given, tagName, prediction) {
  const found = typeof given === 'number' || !Array.isArray(prediction)
    ? given
    : prediction.find((tag) => tag?.tagName === tagName)?.probability;
  return Number.isFinite(found) ? Math.min(Math.max(found, 0), 1) : null;
}
