// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
/*
 * Exists to see every byte that passes a watched app's TCP and UDP sockets, and to miss none
 * silently.
 *
 * One program does the work, when a system call returns: its arguments are still in the saved
 * registers. It leaves within a few nanoseconds for calls that move no bytes and for tasks of other
 * network namespaces. Nothing hangs on the beginning of calls, which would cost every process of
 * the host; the ends of sockets come from TCP's own tracepoints. Which hooks were compared, with
 * figures: docs/decisions/0002-sensor-hooks.md.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_endian.h>
#include "event.h"
#include "watch.h"
#include "kernel.bpf.h"
#include "output.bpf.h"
#include "connection.bpf.h"
#include "transfer.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* The watched network namespaces, a table of our own: it is looked at on every call of every
 * process of the host, and a map's lookup costs several times as much. Written by the loader. */
struct watch watches[WATCH_SETS][WATCH_WAYS];

struct subject { /* on whose behalf: a watched task */
	struct task_struct *task;
	__u32 watch;
};

static __always_inline bool is_watched(struct subject *s)
{
	struct watch *set;
	__u32 netns;
	s->task = bpf_get_current_task_btf();
	netns = netns_of(s->task);
	set = watches[netns % WATCH_SETS];
	for (int way = 0; way < WATCH_WAYS; way++) {
		if (set[way].netns == netns && netns) {
			s->watch = set[way].id;
			return true;
		}
	}
	return false;
}

/* One transfer of `length` bytes on a descriptor. */
struct move {
	__u64 buffer;    /* or the struct iovec array if iov_count is not 0 */
	__u64 iov_count;
	__u64 length;
	__u64 room;      /* size of the single buffer */
	__u64 name;      /* the app's sockaddr of this datagram, 0 if it gave none */
	__u32 watch;
	__u32 fd;
	__u32 flags;     /* MSG_* that the app gave */
	__u32 tail_bytes;
	__u8 tail_missing;
	__u8 direction;
	__u8 padding[6];
};

static __always_inline struct connection *connection_of(struct sock *sk, __u64 inode,
							struct move *m)
{
	struct connection *c = current_connection(sk, inode);
	bool is_fast_open = m->direction == FIXPOINT_SENT && m->flags & MSG_FASTOPEN;
	if (c)
		return c;
	c = new_connection(m->watch, m->fd, sk, inode,
			   is_fast_open ? 0 : CONNECTION_BEFORE_ATTACH);
	if (!c)
		return NULL;
	if (is_fast_open)
		c->role = FIXPOINT_OUTBOUND;
	/* What this call moved is in the kernel's count already, and is to be in ours. */
	c->base[m->direction & 1] -= (__u32)m->length + m->tail_bytes;
	return c;
}

/* What MSG_TRUNC given by the app means for the bytes that the call returned as received. */
static __always_inline void take_off_unread(struct connection *c, struct move *m)
{
	if (c->transport == FIXPOINT_TCP) { /* thrown away, nothing was copied */
		m->tail_bytes = m->length;
		m->tail_missing = FIXPOINT_UNREAD;
		m->length = 0;
	} else if (!m->iov_count && m->length > m->room) { /* the true length, beyond the buffer */
		m->tail_bytes = m->length - m->room;
		m->tail_missing = FIXPOINT_TRUNCATED;
		m->length = m->room;
	}
}

/* The usual case, without a transfer: one buffer that fits into one event. */
static __always_inline int record_short(struct scratch *scratch, struct connection *c,
					struct move *m)
{
	struct fixpoint_event *event = &scratch->event;
	__u64 length = m->length;
	if (length > FIXPOINT_CHUNK_BYTES)
		return 0;
	begin_event(event, FIXPOINT_DATA, c->watch);
	event->direction = m->direction;
	event->connection = c->id;
	event->position = __sync_fetch_and_add(&c->position[m->direction & 1], length);
	event->length_bytes = length;
	event->copied_bytes = length;
	event->flags = FIXPOINT_FIRST | FIXPOINT_LAST;
	event->missing = FIXPOINT_WHOLE;
	if (bpf_probe_read_user((void *)(event + 1), length, (void *)m->buffer)) {
		count_drop(FIXPOINT_DROP_UNREADABLE, length);
		event->copied_bytes = 0;
		event->missing = FIXPOINT_UNREADABLE;
		output(event, sizeof(*event), ring_reserve_bytes, length);
		return 0;
	}
	output(event, sizeof(*event) + length, ring_reserve_bytes, length);
	return 0;
}

/* Not static: the verifier then looks at it once, not for every way to get here. */
__noinline int record_move(struct move *m)
{
	struct scratch *scratch = scratch_here();
	struct connection *c;
	struct transfer *t;
	struct file *file;
	struct sock *sk;
	__u64 length;
	if (!m || !scratch)
		return 0;
	file = file_of(bpf_get_current_task_btf(), m->fd);
	if (!file || !(sk = socket_of(file)))
		return 0;
	length = m->length + m->tail_bytes;
	c = connection_of(sk, file->f_inode->i_ino, m);
	if (!c) {
		count_drop(FIXPOINT_DROP_TABLE_FULL, length);
		return 0;
	}
	if (!length && c->transport == FIXPOINT_TCP)
		return 0;
	if (!(c->flags & CONNECTION_TOLD))
		send_open(c, sk, 0);
	if (m->direction == FIXPOINT_RECEIVED && m->flags & MSG_TRUNC)
		take_off_unread(c, m);
	if (c->transport == FIXPOINT_TCP && !m->iov_count && !m->tail_bytes &&
	    m->length <= FIXPOINT_CHUNK_BYTES)
		return record_short(scratch, c, m);
	t = &scratch->transfer;
	__builtin_memset(t, 0, sizeof(*t));
	t->position = __sync_fetch_and_add(&c->position[m->direction & 1], length);
	t->left = m->length;
	t->tail_bytes = m->tail_bytes;
	t->tail_missing = m->tail_missing;
	t->first = 1;
	t->head = sizeof(scratch->event);
	begin_event(&scratch->event, FIXPOINT_DATA, c->watch);
	scratch->event.direction = m->direction;
	scratch->event.connection = c->id;
	if (c->transport == FIXPOINT_UDP) {
		t->head += sizeof(scratch->peer);
		__builtin_memset(&scratch->peer, 0, sizeof(scratch->peer));
		read_user_address(m->name, &scratch->peer);
		if (!scratch->peer.family)
			read_peer_address(sk, &scratch->peer);
	}
	if (m->iov_count)
		from_iovec(t, m->buffer, m->iov_count);
	else
		from_buffer(t, m->buffer, m->length);
	run_transfer(t);
	return 0;
}

static __always_inline void move_buffer(struct subject *s, struct pt_regs *regs, __u8 direction,
					__u64 length, __u32 flags, __u64 name)
{
	struct move m = { .watch = s->watch };
	m.fd = ARGUMENT1(regs);
	m.buffer = ARGUMENT2(regs);
	m.direction = direction;
	m.flags = flags;
	m.name = name;
	m.length = length;
	m.room = ARGUMENT3(regs);
	record_move(&m);
}

static __always_inline void move_iovec(struct subject *s, struct pt_regs *regs, __u8 direction,
				       __u64 length)
{
	struct move m = { .watch = s->watch };
	m.fd = ARGUMENT1(regs);
	m.buffer = ARGUMENT2(regs);
	m.iov_count = ARGUMENT3(regs);
	m.direction = direction;
	m.length = length;
	record_move(&m);
}

static __always_inline void move_one_message(struct subject *s, struct user_message *message,
					     __u32 fd, __u8 direction, __u64 length, __u32 flags)
{
	struct move m = { .watch = s->watch };
	m.fd = fd;
	m.direction = direction;
	m.flags = flags;
	m.length = length;
	m.name = message->name;
	m.buffer = message->iov;
	m.iov_count = message->iov_count;
	if (direction == FIXPOINT_RECEIVED && message->flags & MSG_TRUNC)
		m.tail_missing = FIXPOINT_TRUNCATED;
	record_move(&m);
}

static __always_inline void move_message(struct subject *s, struct pt_regs *regs, __u8 direction,
					 __u64 length, __u32 flags)
{
	struct user_message message = {};
	if (bpf_probe_read_user(&message, sizeof(message), (void *)ARGUMENT2(regs)))
		count_drop(FIXPOINT_DROP_UNREADABLE, length);
	move_one_message(s, &message, ARGUMENT1(regs), direction, length, flags);
}

struct messages {
	struct subject subject;
	__u64 next;
	__u32 fd;
	__u32 count;
	__u32 flags;
	__u8 direction;
};

static long message_step(__u32 step, struct messages *all)
{
	struct user_mmessage one = {};
	struct subject subject = { .watch = all->subject.watch };
	if (step >= all->count)
		return 1;
	if (bpf_probe_read_user(&one, sizeof(one), (void *)all->next))
		return 1;
	all->next += sizeof(one);
	move_one_message(&subject, &one.message, all->fd, all->direction, one.length_bytes,
			 all->flags);
	return 0;
}

static __always_inline void move_messages(struct subject *s, struct pt_regs *regs,
					  __u8 direction, __u64 count, __u32 flags)
{
	struct messages all = {};
	all.subject.watch = s->watch;
	all.next = ARGUMENT2(regs);
	all.fd = ARGUMENT1(regs);
	all.count = count;
	all.flags = flags;
	all.direction = direction;
	bpf_loop(MESSAGES_MAX, message_step, &all, 0);
}

/* Bytes that went between a file or pipe and a socket without passing the app's memory. */
static __always_inline void move_file(struct subject *s, __u32 fd, __u8 direction, __u64 length)
{
	struct move m = { .watch = s->watch };
	m.fd = fd;
	m.direction = direction;
	m.tail_bytes = length;
	m.tail_missing = FIXPOINT_FILE;
	record_move(&m);
}

static __always_inline struct connection *connection_of_new(struct subject *s, __u32 fd,
							    struct sock **sk)
{
	struct file *file = file_of(s->task, fd);
	struct connection *c;
	if (!file || !(*sk = socket_of(file)))
		return NULL;
	c = current_connection(*sk, file->f_inode->i_ino);
	if (!c)
		c = new_connection(s->watch, fd, *sk, file->f_inode->i_ino, 0);
	if (!c)
		count_drop(FIXPOINT_DROP_TABLE_FULL, 0);
	return c;
}

/* So that a UDP socket first seen later is known to be older than the watch. */
static __always_inline void on_socket(struct subject *s, __u32 fd)
{
	struct sock *sk;
	connection_of_new(s, fd, &sk);
}

static __always_inline void on_accept(struct subject *s, __u32 fd)
{
	struct sock *sk;
	struct connection *c = connection_of_new(s, fd, &sk);
	if (!c)
		return;
	c->role = FIXPOINT_INBOUND;
	send_open(c, sk, 0);
}

static __always_inline void on_connect(struct subject *s, struct pt_regs *regs, long result)
{
	struct connection *c;
	struct sock *sk;
	/* Asked again while it is under way, or after it was done: nothing new. */
	if (result == -EALREADY || result == -EISCONN)
		return;
	c = connection_of_new(s, ARGUMENT1(regs), &sk);
	if (!c || c->flags & CONNECTION_TOLD)
		return;
	c->role = FIXPOINT_OUTBOUND;
	if (result < 0 && result != -EINPROGRESS && result != -ERESTARTSYS)
		c->error = -result;
	send_open(c, sk, ARGUMENT2(regs));
	/* Over the loopback the refusal is there before connect() returns "in progress". */
	if (result < 0 && c->transport == FIXPOINT_TCP && sk->__sk_common.skc_state == TCP_CLOSE)
		c->error = c->error ? c->error : sk->sk_err;
	if (c->error && c->transport == FIXPOINT_TCP)
		send_close(c, sk, c->error);
	c->error = 0;
}

static __always_inline void on_shutdown(struct subject *s, __u32 fd, __u32 how)
{
	struct fixpoint_event event = {};
	struct file *file = file_of(s->task, fd);
	struct connection *c;
	struct sock *sk;
	if (how > 2 || !file || !(sk = socket_of(file)))
		return;
	c = current_connection(sk, file->f_inode->i_ino);
	if (!c)
		return;
	begin_event(&event, FIXPOINT_SHUTDOWN, c->watch);
	event.connection = c->id;
	event.direction = how == 2 ? FIXPOINT_BOTH : how == 1 ? FIXPOINT_SENT : FIXPOINT_RECEIVED;
	output_small(&event, sizeof(event));
}

/* A descriptor is gone. TCP sockets tell their end themselves, by state_changed. */
static __always_inline void on_closed(__u32 fd)
{
	__u64 key = descriptor_key(fd);
	__u64 *address = bpf_map_lookup_elem(&datagram_descriptors, &key);
	struct connection *c;
	struct sock *sk;
	if (!address)
		return;
	sk = AS(struct sock, (void *)*address);
	bpf_map_delete_elem(&datagram_descriptors, &key);
	c = known_connection(sk);
	if (c && is_abandoned(sk))
		send_close(c, sk, 0);
}

struct named_event {
	struct fixpoint_event event;
	struct fixpoint_name body;
};

static __always_inline void on_setsockopt(struct subject *s, struct pt_regs *regs)
{
	struct named_event message = {};
	struct file *file;
	struct connection *c;
	struct sock *sk;
	if (ARGUMENT2(regs) != SOL_TCP || ARGUMENT3(regs) != TCP_ULP)
		return;
	file = file_of(s->task, ARGUMENT1(regs));
	if (!file || !(sk = socket_of(file)))
		return;
	c = current_connection(sk, file->f_inode->i_ino);
	if (!c)
		return;
	begin_event(&message.event, FIXPOINT_UPGRADE, c->watch);
	message.event.connection = c->id;
	bpf_probe_read_user_str(message.body.name, sizeof(message.body.name),
				(void *)ARGUMENT4(regs));
	output_small(&message, sizeof(message));
}

static __always_inline void send_opaque(struct subject *s, __u16 reason)
{
	struct fixpoint_event event = {};
	begin_event(&event, FIXPOINT_OPAQUE, s->watch);
	event.number = reason;
	output_small(&event, sizeof(event));
}

static __noinline long on_socket_call(struct subject *s, struct pt_regs *regs, long number,
				      long result)
{
	switch (number) {
	case SYS_connect:
		on_connect(s, regs, result);
		return 0;
	case SYS_accept:
	case SYS_accept4:
		if (result >= 0)
			on_accept(s, result);
		return 0;
	case SYS_socket:
		if (result >= 0 && (ARGUMENT2(regs) & 0xf) == SOCK_DGRAM)
			on_socket(s, result);
		return 0;
	case SYS_shutdown:
		if (result == 0)
			on_shutdown(s, ARGUMENT1(regs), ARGUMENT2(regs));
		return 0;
	case SYS_close:
		on_closed(ARGUMENT1(regs));
		return 0;
	case SYS_dup2:
	case SYS_dup3:
		if (result >= 0 && ARGUMENT1(regs) != ARGUMENT2(regs))
			on_closed(ARGUMENT2(regs));
		return 0;
	case SYS_setsockopt:
		if (result == 0)
			on_setsockopt(s, regs);
		return 0;
	case SYS_io_uring_setup:
		if (result >= 0)
			send_opaque(s, FIXPOINT_IO_URING);
		return 0;
	}
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(call_returned, struct pt_regs *regs, long result)
{
	long number = CALL_NUMBER(regs);
	struct subject s;
	__u32 flags;
	switch (number) {
	case SYS_read: case SYS_write: case SYS_readv: case SYS_writev: case SYS_sendto:
	case SYS_recvfrom: case SYS_sendmsg: case SYS_recvmsg: case SYS_recvmmsg:
	case SYS_sendmmsg: case SYS_sendfile: case SYS_splice: case SYS_preadv2:
	case SYS_pwritev2:
		if (result < 0)
			return 0;
		break;
	case SYS_connect: case SYS_accept: case SYS_accept4: case SYS_socket: case SYS_setsockopt:
	case SYS_io_uring_setup: case SYS_shutdown: case SYS_close: case SYS_dup2: case SYS_dup3:
		break;
	default:
		return 0;
	}
	if (!is_watched(&s))
		return 0;
	if (TS_COMPAT && s.task->thread_info.status & TS_COMPAT)
		return 0; /* other numbers, other meanings; declared at exec */
	switch (number) {
	case SYS_read:
		move_buffer(&s, regs, FIXPOINT_RECEIVED, result, 0, 0);
		return 0;
	case SYS_write:
		move_buffer(&s, regs, FIXPOINT_SENT, result, 0, 0);
		return 0;
	case SYS_readv:
	case SYS_preadv2:
		move_iovec(&s, regs, FIXPOINT_RECEIVED, result);
		return 0;
	case SYS_writev:
	case SYS_pwritev2:
		move_iovec(&s, regs, FIXPOINT_SENT, result);
		return 0;
	case SYS_sendto:
		move_buffer(&s, regs, FIXPOINT_SENT, result, ARGUMENT4(regs), ARGUMENT5(regs));
		return 0;
	case SYS_sendmsg:
		move_message(&s, regs, FIXPOINT_SENT, result, ARGUMENT3(regs));
		return 0;
	case SYS_sendmmsg:
		move_messages(&s, regs, FIXPOINT_SENT, result, ARGUMENT4(regs));
		return 0;
	case SYS_recvfrom:
	case SYS_recvmsg:
	case SYS_recvmmsg:
		flags = number == SYS_recvmsg ? ARGUMENT3(regs) : ARGUMENT4(regs);
		if (flags & (MSG_PEEK | MSG_ERRQUEUE))
			return 0;
		if (flags & MSG_OOB) {
			count_drop(FIXPOINT_DROP_URGENT, result);
			return 0;
		}
		if (number == SYS_recvfrom)
			move_buffer(&s, regs, FIXPOINT_RECEIVED, result, flags, ARGUMENT5(regs));
		else if (number == SYS_recvmsg)
			move_message(&s, regs, FIXPOINT_RECEIVED, result, flags);
		else
			move_messages(&s, regs, FIXPOINT_RECEIVED, result, flags);
		return 0;
	case SYS_sendfile:
		move_file(&s, ARGUMENT1(regs), FIXPOINT_SENT, result);
		return 0;
	case SYS_splice:
		move_file(&s, ARGUMENT1(regs), FIXPOINT_RECEIVED, result);
		move_file(&s, ARGUMENT3(regs), FIXPOINT_SENT, result);
		return 0;
	}
	on_socket_call(&s, regs, number, result);
	return 0;
}

/* Whether the app ends this socket now, as against the network ending it, or half of it. */
static __always_inline bool is_closing(struct sock *sk, int before, int after)
{
	struct pt_regs *regs;
	if ((sk->sk_shutdown & 3) != 3)
		return false;
	/* Only close() and shutdown() lead to these, or "lead" to the state that was already. */
	if (after != TCP_FIN_WAIT1 && after != TCP_LAST_ACK && before != after)
		return false;
	/* After shutdown(SHUT_RDWR) the app may still read what had come. */
	regs = (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
	return CALL_NUMBER(regs) != SYS_shutdown;
}

/* close(), but also exit, exec and close_range; and a non-blocking connect that fails later. */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(state_changed, struct sock *sk, int before, int after)
{
	struct connection *c;
	if (sk->sk_protocol != IPPROTO_TCP)
		return 0;
	c = known_connection(sk);
	if (!c)
		return 0;
	if (after == TCP_ESTABLISHED && before == TCP_SYN_SENT) {
		c->base[FIXPOINT_RECEIVED] = AS(struct tcp_sock, sk)->copied_seq;
		c->flags |= CONNECTION_BASE_RECEIVED;
	} else if (before == TCP_SYN_SENT && after == TCP_CLOSE) {
		send_close(c, sk, sk->sk_err | NO_TASK);
	} else if (is_closing(sk, before, after)) {
		send_close(c, sk, 0);
	} else if (after == TCP_CLOSE) {
		keep_final_numbers(c, sk);
	}
	return 0;
}

/* Every other end: the peer had reset the connection, or unread bytes were thrown away. */
SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(socket_destroyed, struct sock *sk)
{
	struct connection *c = known_connection(sk);
	if (c)
		send_close(c, sk, NO_TASK);
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(process_forked, struct task_struct *parent, struct task_struct *child)
{
	struct named_event message = {};
	struct subject s;
	if (parent->tgid == child->tgid || !is_watched(&s))
		return 0;
	begin_event(&message.event, FIXPOINT_FORK, s.watch);
	message.event.position = child->tgid;
	bpf_get_current_comm(message.body.name, sizeof(message.body.name));
	output_small(&message, sizeof(message));
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(process_executed, struct task_struct *task)
{
	struct named_event message = {};
	struct subject s;
	if (!is_watched(&s))
		return 0;
	begin_event(&message.event, FIXPOINT_EXEC, s.watch);
	bpf_get_current_comm(message.body.name, sizeof(message.body.name));
	output_small(&message, sizeof(message));
	if (task->thread_info.flags & TIF_ADDR32)
		send_opaque(&s, FIXPOINT_COMPAT32);
	return 0;
}

/* UDP sockets end with their process and no other tracepoint says so. */
static long close_step(__u32 fd, struct subject *s)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct file *file;
	struct connection *c;
	struct sock *sk;
	if (fd >= task->files->fdt->max_fds)
		return 1;
	file = file_of(task, fd);
	if (!file || !(sk = socket_of(file)) || sk->sk_protocol != IPPROTO_UDP ||
	    references_of(file) > 1)
		return 0;
	c = current_connection(sk, file->f_inode->i_ino);
	if (c)
		send_close(c, sk, 0);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(process_exited, struct task_struct *task)
{
	struct named_event message = {};
	struct signal_struct *signal = task->signal;
	struct subject s;
	int status;
	if (signal->live.counter != 0 || !is_watched(&s))
		return 0;
	bpf_loop(65536, close_step, &s, 0);
	status = signal->flags & SIGNAL_GROUP_EXIT ? signal->group_exit_code : task->exit_code;
	begin_event(&message.event, FIXPOINT_EXIT, s.watch);
	message.event.number = status & 0xffff;
	message.event.flags = status & 0x80 ? FIXPOINT_CORE_DUMPED : 0;
	bpf_get_current_comm(message.body.name, sizeof(message.body.name));
	output_small(&message, sizeof(message));
	return 0;
}
