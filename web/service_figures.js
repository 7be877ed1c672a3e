/** The figures that a service publishes about itself, in Prometheus' text format, and what has changed between two looks. */

const SAMPLE = /^(\w+)(?:\{(.*)\})? (\S+)/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

/** One look at the figures. Those of several processes are added up. */
export class Look {
  #samples = new Map(); // name -> [{labels, value}]

  constructor(text, atMs) {
    this.atMs = atMs;
    for (const line of text.split("\n")) {
      const [, name, labels = "", value] = SAMPLE.exec(line) ?? [];
      if (!name) continue;
      const entry = { labels: Object.fromEntries([...labels.matchAll(LABEL)].map(([, key, words]) => [key, words])), value: Number(value) };
      if (this.#samples.has(name)) this.#samples.get(name).push(entry);
      else this.#samples.set(name, [entry]);
    }
  }

  /** Which processes have answered, since when: other ones count from 0. */
  get identity() {
    return this.#all("process_start_time_seconds").map(({ value }) => value).sort().join();
  }

  has(name) {
    return this.#samples.has(name);
  }

  /** The sum of the samples of `name` whose labels have what `wanted` says. */
  sum(name, wanted = {}) {
    return this.#all(name, wanted).reduce((sum, { value }) => sum + value, 0);
  }

  most(name) {
    return Math.max(0, ...this.#all(name).map(({ value }) => value));
  }

  count(name) {
    return this.#all(name).length;
  }

  /** The cumulative histogram `name` of the routes that begin with `route`: Map of upper edge -> observations. */
  histogram(name, route) {
    const found = new Map();
    for (const { labels, value } of this.#all(`${name}_bucket`)) {
      if (!labels.route?.startsWith(route)) continue;
      const edge = labels.le === "+Inf" ? Infinity : Number(labels.le);
      found.set(edge, (found.get(edge) ?? 0) + value);
    }
    return found;
  }

  #all(name, wanted = {}) {
    const isMeant = ({ labels }) => Object.entries(wanted).every(([key, value]) => labels[key] === value);
    return (this.#samples.get(name) ?? []).filter(isMeant);
  }
}

/** What a counter has grown by in a second between two looks; null without an earlier one. */
export function rate(before, now, name, wanted = {}) {
  const seconds = before ? (now.atMs - before.atMs) / 1000 : 0;
  return seconds > 0 ? Math.max(0, now.sum(name, wanted) - before.sum(name, wanted)) / seconds : null;
}

/** Quantiles of what came into a histogram between two looks, or ever (`before` is null): {count, of(share) in its unit}. */
export function spread(before, now, name, route) {
  const early = before?.histogram(name, route) ?? new Map();
  const edges = [...now.histogram(name, route)].map(([edge, value]) => [edge, value - (early.get(edge) ?? 0)]).sort(([a], [b]) => a - b);
  const count = edges.at(-1)?.[1] ?? 0;
  const of = (share) => {
    const wanted = share * count;
    const at = edges.findIndex(([, value]) => value >= wanted);
    const [edge, value] = edges[at];
    const [low, below] = at ? edges[at - 1] : [0, 0];
    if (edge === Infinity) return low; // all that is known is that it took longer
    return low + ((edge - low) * (wanted - below)) / Math.max(1, value - below);
  };
  return { count, of };
}
