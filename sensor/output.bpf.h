/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
 *
 * Exists so that there is one way into the ring, and none that loses an event uncounted.
 */
#ifndef FIXPOINT_OUTPUT_BPF_H
#define FIXPOINT_OUTPUT_BPF_H

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 << 20); /* the loader sets what was asked for */
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct fixpoint_stats);
} counts SEC(".maps");

/* Set before load. */
const volatile __u64 ring_bytes = 64 << 20;
/* Data leaves this much of the ring to the small events that say what was lost. */
const volatile __u64 ring_reserve_bytes = 1 << 20;
/* The loader is woken early once so much waits; else it comes by itself every few ms. */
const volatile __u64 wake_bytes = 8 << 20;

/* The loader sets this before it sleeps without a timer; whoever finds it set wakes the loader. */
volatile __u32 loader_sleeps = 0;

static __always_inline struct fixpoint_stats *counts_here(void)
{
	__u32 zero = 0;
	return bpf_map_lookup_elem(&counts, &zero);
}

static __always_inline void count_drop(__u32 reason, __u64 bytes)
{
	struct fixpoint_stats *stats = counts_here();
	if (!stats || reason >= FIXPOINT_DROPS)
		return;
	/* Atomic because a soft interrupt may count in the middle of it. */
	__sync_fetch_and_add(&stats->drops[reason].events, 1);
	__sync_fetch_and_add(&stats->drops[reason].bytes, bytes);
}

/* Whether there is room, and with which flags an event of this size is to be submitted. */
static __always_inline bool has_room(__u64 size, __u64 reserve, __u64 *flags)
{
	__u64 waiting = bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA);
	*flags = BPF_RB_NO_WAKEUP;
	if (waiting + size + reserve > ring_bytes)
		return false;
	if (loader_sleeps || (waiting < wake_bytes && waiting + size >= wake_bytes)) {
		loader_sleeps = 0;
		*flags = BPF_RB_FORCE_WAKEUP;
	}
	return true;
}

static __always_inline void count_sent(__u64 data_bytes)
{
	struct fixpoint_stats *stats = counts_here();
	if (!stats)
		return;
	stats->sent.events++; /* not atomic: it is for a look at the load; the drops are exact */
	stats->sent.bytes += data_bytes;
}

static __always_inline bool output(void *event, __u64 size, __u64 reserve, __u64 data_bytes)
{
	__u64 flags;
	if (!has_room(size, reserve, &flags) || bpf_ringbuf_output(&ring, event, size, flags)) {
		count_drop(FIXPOINT_DROP_RING_FULL, data_bytes);
		return false;
	}
	count_sent(data_bytes);
	return true;
}

/* Small events may use the whole ring. */
static __always_inline bool output_small(void *event, __u64 size)
{
	return output(event, size, 64, 0);
}

static __always_inline void begin_event(struct fixpoint_event *event, __u8 kind, __u32 watch)
{
	__u64 task = bpf_get_current_pid_tgid();
	event->magic = FIXPOINT_MAGIC;
	event->version = FIXPOINT_VERSION;
	event->kind = kind;
	event->watch = watch;
	event->time_ns = bpf_ktime_get_ns();
	event->tgid = task >> 32;
	event->tid = (__u32)task;
}

#endif
