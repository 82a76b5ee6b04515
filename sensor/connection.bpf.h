/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
 *
 * Exists so that one socket is one connection, however many descriptors and processes share it.
 */
#ifndef FIXPOINT_CONNECTION_BPF_H
#define FIXPOINT_CONNECTION_BPF_H

#include "connection.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536); /* the loader sets what was asked for */
	__uint(map_flags, BPF_F_NO_PREALLOC); /* or 11 MiB are held for sockets that never come */
	__type(key, __u64);         /* struct sock * */
	__type(value, struct connection);
} connections SEC(".maps");

/* UDP sockets by (tgid, fd): a closed descriptor cannot be followed to its socket any more.
 * One that was forgotten here, or was passed on, ends with its process. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, __u64);
} datagram_descriptors SEC(".maps");

/* Ended connections that found the ring full, by id; the loader empties it and tells. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct connection);
} untold SEC(".maps");

/* Set before load: unique over restarts, because it comes from the wall clock. */
const volatile __u64 first_connection = 1;
__u64 connections_made = 0;

/* `name` is the app's sockaddr of a connect, for a socket that did not get as far as a peer. */
static __noinline bool send_open(struct connection *c, struct sock *sk, __u64 name)
{
	struct {
		struct fixpoint_event event;
		struct fixpoint_open open;
	} message = {};
	if (!c)
		return false;
	begin_event(&message.event, FIXPOINT_OPEN, c->watch);
	message.event.connection = c->id;
	message.event.number = c->error;
	message.event.flags = c->flags & CONNECTION_BEFORE_ATTACH ? FIXPOINT_BEFORE_ATTACH : 0;
	message.open.transport = c->transport;
	message.open.role = c->role;
	read_local_address(sk, &message.open.local);
	read_peer_address(sk, &message.open.peer);
	if (!message.open.peer.family)
		read_user_address(name, &message.open.peer);
	if (!output_small(&message, sizeof(message)))
		return false;
	c->flags |= CONNECTION_TOLD;
	return true;
}

/* The kernel's numbers when TCP is done with a socket. A disconnect (close after SO_LINGER 0)
 * changes them afterwards. Not yet the time to compare: a read or write may be under way. */
static __always_inline void keep_final_numbers(struct connection *c, struct sock *sk)
{
	struct tcp_sock *tcp = AS(struct tcp_sock, sk);
	c->final[FIXPOINT_SENT] = tcp->write_seq;
	c->final[FIXPOINT_RECEIVED] = tcp->copied_seq;
	c->flags |= CONNECTION_FINAL;
}

/* TCP's own count against ours, at the end: what passed without a system call that we saw. */
static __always_inline void compare_with_kernel(struct connection *c, struct sock *sk)
{
	struct tcp_sock *tcp = AS(struct tcp_sock, sk);
	__u32 sent = tcp->write_seq;
	__u32 received = tcp->copied_seq;
	if (c->flags & CONNECTION_FINAL) {
		if (sent != c->final[FIXPOINT_SENT])
			received = c->final[FIXPOINT_RECEIVED];
		sent = c->final[FIXPOINT_SENT];
	}
	sent -= c->base[FIXPOINT_SENT] + (__u32)c->position[FIXPOINT_SENT];
	received -= c->base[FIXPOINT_RECEIVED] + (__u32)c->position[FIXPOINT_RECEIVED];
	/* A FIN takes one number, in either direction. Negative: not comparable any more. */
	if (c->flags & CONNECTION_BASE_SENT && sent > 1 && sent < 1u << 31)
		c->unseen[FIXPOINT_SENT] = sent;
	if (c->flags & CONNECTION_BASE_RECEIVED && received > 1 && received < 1u << 31)
		c->unseen[FIXPOINT_RECEIVED] = received;
}

#define NO_TASK 0x10000 /* with an error: whoever is running has nothing to do with it */

/* Ends a connection. sk is NULL if the socket is gone already. */
static __noinline long send_close(struct connection *c, struct sock *sk, __u32 error)
{
	__u64 key;
	struct {
		struct fixpoint_event event;
		struct fixpoint_close close;
	} message = {};
	if (!c)
		return 0;
	key = c->key;
	if (sk && c->transport == FIXPOINT_TCP)
		compare_with_kernel(c, sk);
	begin_event(&message.event, FIXPOINT_CLOSE, c->watch);
	message.event.connection = c->id;
	message.event.number = error;
	if (error & NO_TASK)
		message.event.tgid = message.event.tid = 0;
	message.close.sent_bytes = c->position[FIXPOINT_SENT];
	message.close.received_bytes = c->position[FIXPOINT_RECEIVED];
	message.close.sent_unseen_bytes = c->unseen[FIXPOINT_SENT];
	message.close.received_unseen_bytes = c->unseen[FIXPOINT_RECEIVED];
	if ((c->flags & CONNECTION_TOLD || c->position[0] || c->position[1]) &&
	    !output_small(&message, sizeof(message))) {
		c->error = error;
		bpf_map_update_elem(&untold, &c->id, c, BPF_ANY);
	}
	bpf_map_delete_elem(&connections, &key);
	return 0;
}

static __always_inline __u64 descriptor_key(__u32 fd)
{
	return (bpf_get_current_pid_tgid() & 0xffffffff00000000ull) | fd;
}

static __always_inline struct connection *known_connection(struct sock *sk)
{
	__u64 key = (__u64)sk;
	return bpf_map_lookup_elem(&connections, &key);
}

static __noinline struct connection *new_connection(__u32 watch, __u32 fd, struct sock *sk,
						    __u64 inode, __u8 flags)
{
	struct connection fresh = {};
	__u64 key = (__u64)sk;
	struct tcp_sock *tcp = AS(struct tcp_sock, sk);
	fresh.key = key;
	fresh.id = first_connection + __sync_fetch_and_add(&connections_made, 1);
	fresh.inode = inode;
	fresh.watch = watch;
	fresh.flags = flags;
	fresh.transport = sk->sk_protocol == IPPROTO_TCP ? FIXPOINT_TCP : FIXPOINT_UDP;
	if (fresh.transport == FIXPOINT_TCP) {
		fresh.base[FIXPOINT_SENT] = tcp->write_seq;
		fresh.base[FIXPOINT_RECEIVED] = tcp->copied_seq;
		fresh.flags |= CONNECTION_BASE_SENT;
		if (sk->__sk_common.skc_state != TCP_SYN_SENT)
			fresh.flags |= CONNECTION_BASE_RECEIVED;
	} else {
		__u64 descriptor = descriptor_key(fd);
		bpf_map_update_elem(&datagram_descriptors, &descriptor, &key, BPF_ANY);
	}
	if (bpf_map_update_elem(&connections, &key, &fresh, BPF_ANY))
		return NULL;
	return bpf_map_lookup_elem(&connections, &key);
}

/* The connection of a socket, if it is known and still the same socket (memory is used again). */
static __always_inline struct connection *current_connection(struct sock *sk, __u64 inode)
{
	struct connection *c = known_connection(sk);
	if (c && c->inode != inode) {
		send_close(c, NULL, NO_TASK);
		return NULL;
	}
	return c;
}

#endif
