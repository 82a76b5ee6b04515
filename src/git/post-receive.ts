/**
 * The post-receive hook: tells the server what was pushed and prints what it answers, which git
 * shows to the pusher. The push is accepted by now; nothing that happens here changes that.
 */
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';

/** The one line of JSON that the hook sends; it then reads lines of text to the end. */
export interface HookMessage {
  /** As the server gave it to git in FIXPOINT_PUSH. */
  id: string;
  /** git's own lines on what was pushed: `OLD NEW REF`. */
  updates: string;
}

if (import.meta.main) {
  const { FIXPOINT_HOOK_SOCKET = '', FIXPOINT_PUSH = '' } = process.env;
  const message: HookMessage = { id: FIXPOINT_PUSH, updates: await text(process.stdin) };
  const socket = connect(FIXPOINT_HOOK_SOCKET);
  socket.on('connect', () => socket.write(`${JSON.stringify(message)}\n`));
  socket.on('error', () => {
    console.log('Your push is stored, but the server went away; it deploys once it is back.');
  });
  // The pusher hung up: the server goes on without us.
  process.stdout.on('error', () => process.exit(0));
  socket.pipe(process.stdout);
}
