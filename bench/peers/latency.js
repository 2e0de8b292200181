// SPDX-License-Identifier: MIT
// ONNX Runtime by npm's onnxruntime-node, for latency.py, whose lines it reads and writes.
// Usage: latency.js FOLDER THREADS CACHE_BYTES, where FOLDER has the network as model.onnx and an image as input.f32.
'use strict';
const fs = require('fs');
const path = require('path');
const readline = require('readline');
const ort = require('onnxruntime-node');

const WARM_UP = 50; // runs

async function timed(run, count, flush) {
  const times = new Array(count);
  for (let i = 0; i < count; i++) {
    flush();
    const start = process.hrtime.bigint();
    await run();
    times[i] = Number(process.hrtime.bigint() - start);
  }
  return times;
}

async function main() {
  const [folder, threads, cacheBytes] = process.argv.slice(2);
  process.on('SIGINT', () => {}); // the bench says when it ends
  const session = await ort.InferenceSession.create(path.join(folder, 'model.onnx'),
    {intraOpNumThreads: Number(threads), interOpNumThreads: 1, executionProviders: ['cpu']});
  const bytes = fs.readFileSync(path.join(folder, 'input.f32'));
  const data = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
  const shape = fs.readFileSync(path.join(folder, 'shape'), 'utf8').trim().split(' ').map(Number);
  const feeds = {x: new ort.Tensor('float32', data, shape)};
  const run = () => session.run(feeds);
  const output = (await run())[session.outputNames[0]].data;
  const version = require('onnxruntime-node/package.json').version;
  console.log(`ONNX Runtime ${version} of npm\nrun\n${Array.from(output).join(' ')}`);
  const full = Buffer.alloc(Number(cacheBytes));
  const other = Buffer.alloc(Number(cacheBytes), 1);
  for await (const line of readline.createInterface({input: process.stdin})) {
    const [kind, count] = line.split(' ');
    await timed(run, WARM_UP, () => {});
    console.log((await timed(run, Number(count), kind === 'cold' ? () => other.copy(full) : () => {})).join(' '));
  }
}

main();
