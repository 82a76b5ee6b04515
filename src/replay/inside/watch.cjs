// Preloaded into the app's Node: writes down every exception that is raised, caught or not, with the values of the
// variables at the throw. A worker thread is the debugger of the main thread, so no port is opened.
'use strict';
const fs = require('node:fs');

const path = process.env.FIXPOINT_WATCH_FILE;
let threads = null;
let inspector = null;
try {
  threads = require('node:worker_threads');
  inspector = require('node:inspector');
} catch {
  // A Node without an inspector is not watched, which the missing lines in the file tell.
}

if (path && threads && inspector) {
  if (threads.isMainThread) watchFromMain();
  else if (threads.workerData && threads.workerData.fixpointWatch === true) watchMain();
}

function watchFromMain() {
  try {
    say({ event: 'start', pid: process.pid });
    const worker = new threads.Worker(__filename, {
      workerData: { fixpointWatch: true },
      env: threads.SHARE_ENV,
      execArgv: [],
      stdin: false,
    });
    worker.on('error', () => {});
    worker.unref();
  } catch {
    // As above.
  }
}

function watchMain() {
  const session = new inspector.Session();
  session.connectToMainThread();
  let raised = 0;
  let sequence = 0;
  // Frames name their script by number only.
  const urls = new Map();
  session.on('Debugger.scriptParsed', ({ params }) => urls.set(params.scriptId, params.url));
  session.on('Debugger.paused', ({ params }) => {
    sequence += 1;
    const mine = sequence;
    let open = true;
    const resume = () => {
      if (!open) return;
      open = false;
      session.post('Debugger.resume');
    };
    if (params.reason !== 'exception' && params.reason !== 'promiseRejection') return resume();
    for (const frame of params.callFrames) {
      frame.url = frame.url || urls.get(frame.location.scriptId) || '';
    }
    const frames = params.callFrames.filter(isOfApp);
    if (frames.length === 0) return resume();
    raised += 1;
    if (raised > 500) {
      if (raised === 501) session.post('Debugger.setPauseOnExceptions', { state: 'none' });
      return resume();
    }
    variablesOf(session, frames[0], (variables) => {
      say({
        event: 'raised',
        pid: process.pid,
        sequence: mine,
        ...describe(params.data),
        variables,
        frames: frames.slice(0, 10).map((frame) => ({
          file: frame.url,
          function: frame.functionName || null,
          line: frame.location.lineNumber + 1,
          column: (frame.location.columnNumber || 0) + 1,
        })),
      });
      resume();
    });
  });
  session.post('Debugger.enable', () => {
    session.post('Debugger.setPauseOnExceptions', { state: 'all' }, () => {
      say({ event: 'ready', pid: process.pid });
    });
  });
  // Keeps the worker alive; it does not keep the process alive.
  setInterval(() => {}, 1 << 30);
}

function isOfApp(frame) {
  return (
    frame.url !== '' &&
    !frame.url.startsWith('node:') &&
    !frame.url.includes('/node_modules/') &&
    !frame.url.startsWith('evalmachine') &&
    !/^(file:\/\/)?\/fixpoint\//.test(frame.url)
  );
}

/** Local variables of a frame, innermost scope first: printed, cut, at most 40. */
function variablesOf(session, frame, done) {
  const kinds = ['block', 'catch', 'local', 'closure', 'with', 'module'];
  const scopes = frame.scopeChain.filter((scope) => kinds.includes(scope.type)).slice(0, 4);
  const variables = {};
  let count = 0;
  const next = (index) => {
    if (index >= scopes.length || count >= 40) return done(variables);
    const { objectId } = scopes[index].object;
    session.post(
      'Runtime.getProperties',
      { objectId, ownProperties: true, generatePreview: true },
      (error, result) => {
        for (const property of error ? [] : result.result) {
          if (count >= 40 || property.value === undefined || property.name in variables) continue;
          if (property.value.type === 'function') continue;
          variables[property.name] = print(property.value);
          count += 1;
        }
        next(index + 1);
      },
    );
  };
  next(0);
}

function describe(data) {
  const text = String(data?.description || data?.value || '');
  const head = text.split(/\n\s+at /)[0];
  const type = data?.className || data?.type || 'unknown';
  const named = /^([A-Za-z_$][\w$.]*)(?: \[[^\]]*\])?(?:: ([\s\S]*))?$/.exec(head);
  const isError = Boolean(data && data.subtype === 'error');
  return {
    type: isError && named ? named[1] : type,
    message: (isError && named ? named[2] || '' : head).slice(0, 2000),
    uncaught: Boolean(data?.uncaught),
  };
}

function print(value) {
  const cut = (text) => (text.length > 200 ? `${text.slice(0, 200)}…` : text);
  if (value.type === 'string') return cut(JSON.stringify(String(value.value).slice(0, 400)));
  if (value.type === 'undefined' || value.subtype === 'null') return value.subtype || 'undefined';
  if (value.preview?.properties && value.subtype !== 'error') {
    const isArray = value.subtype === 'array';
    const inner = value.preview.properties.map((p) => {
      const text = p.type === 'string' ? JSON.stringify(p.value) : String(p.value || p.type);
      return isArray ? text : `${p.name}: ${text}`;
    });
    if (value.preview.overflow) inner.push('…');
    return cut(isArray ? `[${inner.join(', ')}]` : `{ ${inner.join(', ')} }`);
  }
  return cut(String(value.unserializableValue || value.description || value.value));
}

function say(line) {
  try {
    fs.appendFileSync(path, `${JSON.stringify(line)}\n`);
  } catch {
    // The replayer sees that lines are missing.
  }
}
