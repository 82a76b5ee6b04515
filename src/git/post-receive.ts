/**
 * The post-receive hook: tells the server what was pushed and prints what it answers, which git
 * shows to the pusher. The push is accepted by now; nothing that happens here changes that.
 */
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';

const updates = await text(process.stdin);
const socket = connect(process.env.FIXPOINT_HOOK_SOCKET ?? '');
socket.on('connect', () => {
  socket.write(`${JSON.stringify({ id: process.env.FIXPOINT_PUSH, updates })}\n`);
});
socket.on('error', () => {
  console.log(
    'Your push is stored, but the server went away: see `fixpoint apps` once it is back.',
  );
});
// The pusher hung up: the server goes on without us.
process.stdout.on('error', () => process.exit(0));
socket.pipe(process.stdout);
