#include "server/telemetry/status_page.h"

namespace hearwire {
namespace {

// Texts of others (names, messages of failed calls) go into text nodes only, never into markup.
constexpr std::string_view kPage = R"page(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Hearwire</title>
<style>
body { font: 15px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 60em; padding: 0 1em; color: #1c2733; background: #fff; }
h1 { font-size: 1.5em; margin: 0; }
h2 { font-size: 1.05em; margin: 1.8em 0 .4em; }
#state { font-weight: 600; }
#state.serving { color: #14733b; }
#state.other { color: #b3261e; }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(11em, 1fr)); gap: .6em; margin: 1em 0; }
dl div { border: 1px solid #d5dde5; border-radius: 6px; padding: .5em .7em; }
dt { color: #526170; font-size: .85em; }
dd { margin: 0; font-size: 1.25em; font-variant-numeric: tabular-nums; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .25em .8em .25em 0; border-bottom: 1px solid #e4eaf0; vertical-align: top; }
td { overflow-wrap: anywhere; }
td.number { font-variant-numeric: tabular-nums; }
svg { width: 100%; height: 5em; border-bottom: 1px solid #d5dde5; }
polyline { fill: none; stroke: #2a6fb0; stroke-width: 1.5; vector-effect: non-scaling-stroke; }
@media (prefers-color-scheme: dark) {
  body { color: #dfe7ee; background: #14191f; }
  dl div, th, td, svg { border-color: #35414d; }
  dt { color: #9aa9b8; }
  #state.serving { color: #63c98a; }
  #state.other { color: #ff8a80; }
}
</style>
</head>
<body>
<h1>Hearwire <span id="version"></span></h1>
<p><span id="state" class="other">not asked yet</span><span id="since"></span></p>
<dl>
<div><dt>calls a second</dt><dd id="calls">–</dd></div>
<div><dt>audio, seconds a second</dt><dd id="audio">–</dd></div>
<div><dt>latency, median</dt><dd id="p50">–</dd></div>
<div><dt>latency, 99 %</dt><dd id="p99">–</dd></div>
<div><dt>frames in the queue</dt><dd id="queue">–</dd></div>
<div><dt>work that waits</dt><dd id="load">–</dd></div>
<div><dt>workers busy</dt><dd id="busy">–</dd></div>
<div><dt>open streams</dt><dd id="streams">–</dd></div>
<div><dt>refused</dt><dd id="refused">–</dd></div>
<div><dt>CPUs in use</dt><dd id="cpu">–</dd></div>
<div><dt>memory</dt><dd id="memory">–</dd></div>
</dl>
<p>Rates and latencies are of the last 30 s; calls a second, of the last five minutes:</p>
<svg viewBox="0 0 300 100" preserveAspectRatio="none" role="img" aria-label="calls a second"><polyline id="line" points=""></polyline></svg>
<h2>Networks</h2>
<table><thead><tr><th>network</th><th>backend</th><th>device</th><th>precision</th></tr></thead><tbody id="networks"></tbody></table>
<h2>Configs</h2>
<table><thead><tr><th>config or network</th><th>method</th><th>answered</th><th>failed</th></tr></thead><tbody id="configs"></tbody></table>
<p id="idle"></p>
<h2>Last failures</h2>
<table><thead><tr><th>when (UTC)</th><th>method</th><th>config</th><th>code</th><th>message</th><th>request id</th></tr></thead><tbody id="failures"></tbody></table>
<p><a href="/metrics">/metrics</a> has the numbers, the log the calls; this page reads both once a second.</p>
<script>
"use strict";
const WINDOW = 30, LINE = 300;
const samples = [];  // The numbers of the last seconds, oldest first: {time, all}.

// Prometheus' text: [{name, labels, value}].
function parse(text) {
  const found = [];
  for (const line of text.split("\n")) {
    const parts = /^([a-zA-Z_:]+)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (!parts) continue;
    const labels = {};
    for (const [, name, value] of (parts[2] || "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
      labels[name] = value.replace(/\\n/g, "\n").replace(/\\(.)/g, "$1");
    }
    found.push({name: parts[1], labels, value: Number(parts[3])});
  }
  return found;
}

const of = (all, name) => all.filter(one => one.name === name);
const sum = (all, name) => of(all, name).reduce((total, one) => total + one.value, 0);

// What a counter has grown by in a second, between two samples.
function rate(first, last, name) {
  const seconds = (last.time - first.time) / 1000;
  return seconds > 0 ? Math.max(0, sum(last.all, name) - sum(first.all, name)) / seconds : NaN;
}

// Seconds within which that share of the calls between two samples were answered, or NaN without calls.
function quantile(first, last, share) {
  const buckets = new Map();
  for (const [sample, sign] of [[last, 1], [first, -1]]) {
    for (const one of of(sample.all, "hearwire_request_duration_seconds_bucket")) {
      const edge = Number(one.labels.le.replace("+Inf", "Infinity"));
      buckets.set(edge, (buckets.get(edge) || 0) + sign * one.value);
    }
  }
  const edges = [...buckets.keys()].sort((a, b) => a - b);
  const wanted = share * (buckets.get(Infinity) || 0);
  let below = 0, from = 0;
  for (const edge of edges) {
    const count = buckets.get(edge);
    if (wanted > 0 && count >= wanted) {
      return edge === Infinity ? from : from + (edge - from) * (wanted - below) / Math.max(count - below, 1e-9);
    }
    below = count;
    from = edge;
  }
  return NaN;
}

// The share of their time that the workers of the busiest device spent in batches between two samples.
function busy(first, last) {
  const seconds = (last.time - first.time) / 1000;
  const by = (all, name, device) => sum(all.filter(one => one.labels.device === device), name);
  const shares = of(last.all, "hearwire_workers").map(({labels: {device}, value}) => {
    const name = "hearwire_worker_busy_seconds_total";
    return (by(last.all, name, device) - by(first.all, name, device)) / seconds / value;
  });
  return seconds > 0 ? Math.max(0, ...shares) : 0;
}

const number = value => Number.isNaN(value) ? "–" : value >= 100 ? value.toFixed(0) : value.toPrecision(2);
function seconds(value) {
  if (Number.isNaN(value)) return "–";
  return value < 1 ? (value * 1000).toPrecision(3) + " ms" : value.toPrecision(3) + " s";
}

function show(id, text) { document.getElementById(id).textContent = text; }
function rows(id, lines) {
  document.getElementById(id).replaceChildren(...lines.map(cells => {
    const row = document.createElement("tr");
    for (const cell of cells) {
      const data = document.createElement("td");
      data.textContent = cell;
      if (typeof cell === "number") data.className = "number";
      row.append(data);
    }
    return row;
  }));
}

function draw(state, failures) {
  const last = samples[samples.length - 1];
  const first = samples.find(sample => last.time - sample.time <= WINDOW * 1000);
  const line = document.getElementById("state");
  line.textContent = state;
  line.className = state === "serving" ? "serving" : "other";
  const built = of(last.all, "hearwire_build_info");
  show("version", built.length > 0 ? built[0].labels.version : "");
  const up = last.time / 1000 - sum(last.all, "process_start_time_seconds");
  show("since", up > 0 ? ", up for " + (up < 120 ? up.toFixed(0) + " s" : up < 7200 ? (up / 60).toFixed(0) + " min" :
      (up / 3600).toFixed(1) + " h") : "");
  show("calls", number(rate(first, last, "hearwire_requests_total")));
  show("audio", number(rate(first, last, "hearwire_audio_seconds_total")));
  show("cpu", number(rate(first, last, "process_cpu_seconds_total")));
  show("p50", seconds(quantile(first, last, 0.5)));
  show("p99", seconds(quantile(first, last, 0.99)));
  show("queue", sum(last.all, "hearwire_pending_frames"));
  show("load", seconds(Math.max(0, ...of(last.all, "hearwire_load_seconds").map(one => one.value))));
  show("busy", (100 * busy(first, last)).toFixed(0) + " %");
  show("streams", sum(last.all, "hearwire_open_streams"));
  show("refused", sum(last.all, "hearwire_rejected_total"));
  show("memory", (sum(last.all, "process_resident_memory_bytes") / 1048576).toFixed(0) + " MiB");
  rows("networks", of(last.all, "hearwire_network_info").map(one =>
      [one.labels.network, one.labels.backend, one.labels.device, one.labels.precision]));
  const calls = new Map();
  for (const one of of(last.all, "hearwire_requests_total")) {
    const key = JSON.stringify([one.labels.config, one.labels.method]);
    const counted = calls.get(key) || [0, 0];
    counted[one.labels.code === "OK" ? 0 : 1] += one.value;
    calls.set(key, counted);
  }
  const used = [...calls].filter(([, counted]) => counted[0] + counted[1] > 0);
  rows("configs", used.map(([key, counted]) => [...JSON.parse(key), ...counted]));
  const configs = new Set([...calls.keys()].map(key => JSON.parse(key)[0]).filter(name => name && name !== "unknown"));
  show("idle", "Served: " + [...configs].sort().join(", "));
  rows("failures", failures.map(one => [one.time, one.method, one.config, one.code, one.message, one.request_id]));
  const points = [];
  for (let i = 1; i < samples.length; ++i) points.push(rate(samples[i - 1], samples[i], "hearwire_requests_total"));
  const most = Math.max(1, ...points);
  document.getElementById("line").setAttribute("points",
      points.map((value, i) => (LINE - points.length + i) + "," + (100 - 95 * value / most)).join(" "));
}

async function look() {
  try {
    const [metrics, ready, failed] = await Promise.all(["/metrics", "/readyz", "/errors.json"].map(path =>
        fetch(path, {cache: "no-store"})));
    samples.push({time: Date.now(), all: parse(await metrics.text())});
    if (samples.length > LINE) samples.shift();
    draw((await ready.text()).trim(), await failed.json());
  } catch (error) {
    const line = document.getElementById("state");
    line.textContent = "the server does not answer";
    line.className = "other";
  }
  setTimeout(look, 1000);
}
look();
</script>
</body>
</html>
)page";

}  // namespace

std::string_view StatusPage() { return kPage; }

}  // namespace hearwire
