// How many results in each of the last seconds, as one SVG image, a line of words, and a table for who asks for it.
import { plotSeconds, sum } from './statistics.js';

const height = 100; // of the image's own coordinates; it is stretched to the room that there is
const tableSeconds = 10;

/** The end of the scale: a round number whose half is one to read, too. */
function niceTop(peak) {
  const power = 10 ** Math.floor(Math.log10(Math.max(peak, 1)));
  const steps = power === 1 ? [2, 4, 6, 8, 10] : [1, 1.2, 1.6, 2, 3, 4, 5, 6, 8, 10];
  return power * steps.find((step) => step * power >= peak);
}

/** Flat over each second, as a path from left to right: "V12H1V30H2…" */
const steps = (numbers, y) => numbers.map((number, index) => `V${y(number)}H${index + 1}`).join('');
const stepsBack = (numbers, y) => numbers.map((number, index) => `V${y(number)}H${index}`).reverse().join('');

export const throughputPlot = {
  props: { rates: { type: Object, required: true }, number: { type: Function, required: true } },

  data: () => ({ pointed: null, isTableOpen: false }),

  computed: {
    both() {
      return this.rates.done.map((done, index) => done + this.rates.failed[index]);
    },
    top() {
      return niceTop(Math.max(...this.both));
    },
    paths() {
      const y = (number) => Math.round((1 - number / this.top) * height * 100) / 100;
      const done = steps(this.rates.done, y);
      return {
        done: `M0 ${height}${done}V${height}Z`,
        line: `M0 ${y(this.rates.done[0])}${done}`,
        failed: `M0 ${y(this.both[0])}${steps(this.both, y)}${stepsBack(this.rates.done, y)}Z`,
      };
    },
    words() {
      const peak = Math.max(...this.both);
      if (!peak) return `Nothing in the last ${plotSeconds / 60} minutes.`;
      const { seconds, failed } = this.rates;
      const window = seconds < plotSeconds ? `${seconds} s` : `${plotSeconds / 60} minutes`;
      return `Average ${this.number(sum(this.both) / seconds)}, peak ${this.number(peak)} per second in the last ${window}; `
        + `${sum(failed) ? this.number(sum(failed)) : 'none'} failed.`;
    },
    /** The point under the pointer, and its position. */
    point() {
      if (this.pointed === null) return null;
      const ago = plotSeconds - this.pointed;
      return {
        left: (this.pointed + 0.5) / plotSeconds * 100, ago,
        done: this.rates.done[this.pointed], failed: this.rates.failed[this.pointed],
      };
    },
    table() {
      return Array.from({ length: plotSeconds / tableSeconds }, (_, row) => {
        const end = plotSeconds - row * tableSeconds;
        const of = (numbers) => sum(numbers.slice(end - tableSeconds, end));
        return { from: row * tableSeconds, to: (row + 1) * tableSeconds, done: of(this.rates.done), failed: of(this.rates.failed) };
      });
    },
  },

  methods: {
    pointAt({ clientX, currentTarget }) {
      const { left, width } = currentTarget.getBoundingClientRect();
      this.pointed = Math.min(Math.max(Math.floor((clientX - left) / width * plotSeconds), 0), plotSeconds - 1);
    },
  },

  template: `
    <figure class="plot">
      <div class="scale" aria-hidden="true"><span>{{ number(top) }}</span><span>{{ number(top / 2) }}</span><span>0</span></div>
      <div class="field" @pointermove="pointAt" @pointerdown="pointAt" @pointerleave="pointed = null">
        <svg viewBox="0 0 ${plotSeconds} ${height}" preserveAspectRatio="none" role="img" :aria-label="'Throughput over time. ' + words">
          <defs>
            <linearGradient id="fade" x1="0" y1="0" x2="0" y2="1"><stop class="near"/><stop offset="1" class="far"/></linearGradient>
          </defs>
          <path class="grid" d="M0 0H${plotSeconds}M0 ${height / 2}H${plotSeconds}M0 ${height}H${plotSeconds}M60 0V${height}M120 0V${height}"/>
          <path class="done" :d="paths.done"/>
          <path class="failed" :d="paths.failed"/>
          <path class="line" :d="paths.line"/>
        </svg>
        <template v-if="point">
          <span class="cross" :style="{ left: point.left + '%' }"></span>
          <span class="tip" :class="{ flip: point.left > 60 }" :style="{ left: point.left + '%' }">
            <strong>{{ number(point.done) }}</strong> done<template v-if="point.failed">, <strong>{{ number(point.failed) }}</strong> failed</template>
            <span>{{ point.ago }} s ago</span>
          </span>
        </template>
      </div>
      <div class="times" aria-hidden="true"><span>−3 min</span><span>−2 min</span><span>−1 min</span><span>now</span></div>
      <figcaption>{{ words }}</figcaption>
      <details @toggle="isTableOpen = $event.target.open">
        <summary>The same as a table</summary>
        <div v-if="isTableOpen" class="scroll" tabindex="0" role="region" aria-label="Throughput as a table">
          <table>
            <thead><tr><th scope="col">Seconds ago</th><th scope="col">Done</th><th scope="col">Failed</th></tr></thead>
            <tbody>
              <tr v-for="row in table" :key="row.from">
                <th scope="row">{{ row.from }} to {{ row.to }}</th><td>{{ number(row.done) }}</td><td>{{ number(row.failed) }}</td>
              </tr>
            </tbody>
          </table>
        </div>
      </details>
    </figure>`,
};
