"""HTML and script of the live page: one file, no framework, nothing from elsewhere."""

HTML = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>roma-device calibrate</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body { font: 16px/1.4 system-ui, sans-serif; margin: 1rem; background: #14171a; color: #e8eaed; }
h1 { font-size: 1.1rem; font-weight: 600; margin: 0 0 .5rem; }
#status { font-size: 1.3rem; } #status.taken { color: #7ddc8a; } #status.refused { color: #ffd166; }
#advice { color: #8ecdf7; font-size: 1.1rem; margin-bottom: .7rem; }
.eyes { display: flex; flex-wrap: wrap; gap: 1rem; } .eye { position: relative; flex: 1 1 300px; max-width: 640px; }
.eye img { width: 100%; display: block; background: #000; min-height: 3rem; }
.grid { position: absolute; inset: 0; display: grid; grid-template-columns: repeat(8, 1fr);
  grid-template-rows: repeat(6, 1fr); }
.grid div { border: 1px solid #ffffff22; } table { margin-top: .8rem; border-collapse: collapse; }
td { padding: .1rem .8rem .1rem 0; } progress { width: 100%; max-width: 640px; }
</style></head><body>
<h1>Calibration with <span id="board">...</span></h1>
<progress id="bar" max="1" value="0"></progress> <span id="count"></span>
<div id="status" class="refused">waiting for the camera</div><div id="advice"></div>
<div class="eyes">
<div class="eye"><img id="left" alt="left image"><div class="grid" id="grid0"></div></div>
<div class="eye"><img id="right" alt="right image"><div class="grid" id="grid1"></div></div></div>
<table id="counts"></table>
<script>
const at = id => document.getElementById(id);
function grid(element, rows) {
  element.replaceChildren(...rows.flat().map(count => {
    const cell = document.createElement('div');
    cell.style.background = count ? `rgba(90, 220, 120, ${0.08 + 0.07 * Math.min(count, 5)})` : 'none';
    return cell;
  }));
}
function show(state) {
  at('board').textContent = state.board;
  at('count').textContent = `${state.taken} of ${state.wanted} pairs, `
    + `left ${Math.round(100 * state.coverage[0])} %, right ${Math.round(100 * state.coverage[1])} % covered`;
  at('bar').value = Math.min(1, state.taken / state.wanted);
  at('status').textContent = state.status;
  at('status').className = state.accepted ? 'taken' : 'refused';
  at('advice').textContent = 'next: ' + state.advice;
  state.grids.forEach((rows, side) => grid(at('grid' + side), rows));
  at('counts').replaceChildren(...Object.entries({...state.tilts, ...state.distances}).map(([name, count]) => {
    const row = document.createElement('tr');
    for (const text of [name, count]) row.insertCell().textContent = text;
    return row;
  }));
}
async function turn() {
  try {
    show(await (await fetch('state.json')).json());
    for (const side of ['left', 'right']) at(side).src = side + '.jpg?' + Date.now();
  } catch (error) { at('status').textContent = 'the capture has ended, or has not started yet'; }
  setTimeout(turn, 500);
}
turn();
</script></body></html>
"""
