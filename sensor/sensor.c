// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
/*
 * Exists to bring the BPF programs into the kernel and what they see to the server:
 * open, configure, load, attach, poll, clean up, in this order, in main().
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "connection.h"
#include "event.h"
#include "options.h"
#include "probe.h"
#include "stream.h"
#include "watch.h"
#include "sensor.skel.h"

#define TICKS_BEFORE_SLEEP 50
#define SLEEP_MS 1000
#define WALL_STEP_NS 1000000 /* a change of the wall clock worth telling */

struct sensor {
	struct options options;
	struct sensor_bpf *bpf;
	struct stream stream;
	int socket, events, signals;
	int64_t wall_offset_ns;
	uint64_t next_stats_ns;
	struct fixpoint_stats told;
	uint8_t control[sizeof(struct fixpoint_control)];
	size_t control_filled;
	int idle_ticks;
	bool is_done;
};

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static struct fixpoint_event loader_event(uint8_t kind)
{
	return (struct fixpoint_event){
		.magic = FIXPOINT_MAGIC, .version = FIXPOINT_VERSION, .kind = kind,
		.time_ns = clock_ns(CLOCK_MONOTONIC),
	};
}

static void say_hello(struct sensor *s)
{
	struct {
		struct fixpoint_event event;
		struct fixpoint_hello hello;
	} message = { .event = loader_event(FIXPOINT_HELLO) };
	message.hello.wall_offset_ns = s->wall_offset_ns;
	message.hello.ring_bytes = s->stream.ring_bytes;
	probe_features(s->bpf, message.hello.features, sizeof(message.hello.features));
	stream_note(&s->stream, &message, sizeof(message));
}

static int64_t wall_offset_ns(void)
{
	uint64_t before = clock_ns(CLOCK_MONOTONIC);
	uint64_t wall = clock_ns(CLOCK_REALTIME);
	uint64_t after = clock_ns(CLOCK_MONOTONIC);
	return (int64_t)(wall - (before + after) / 2);
}

static struct fixpoint_stats read_counts(struct sensor *s)
{
	int cpus = libbpf_num_possible_cpus();
	struct fixpoint_stats each[cpus], sum = {};
	uint32_t zero = 0;
	if (bpf_map_lookup_elem(bpf_map__fd(s->bpf->maps.counts), &zero, each))
		return s->told;
	for (int cpu = 0; cpu < cpus; cpu++) {
		sum.sent.events += each[cpu].sent.events;
		sum.sent.bytes += each[cpu].sent.bytes;
		for (int i = 0; i < FIXPOINT_DROPS; i++) {
			sum.drops[i].events += each[cpu].drops[i].events;
			sum.drops[i].bytes += each[cpu].drops[i].bytes;
		}
	}
	return sum;
}

/* Ends of connections that found the ring full. They come late, never not at all. */
static void tell_untold(struct sensor *s)
{
	int map = bpf_map__fd(s->bpf->maps.untold);
	uint64_t key;
	struct connection c;
	while (!bpf_map_get_next_key(map, NULL, &key)) {
		struct {
			struct fixpoint_event event;
			struct fixpoint_close close;
		} message = { .event = loader_event(FIXPOINT_CLOSE) };
		if (bpf_map_lookup_elem(map, &key, &c))
			return;
		message.event.watch = c.watch;
		message.event.connection = c.id;
		message.event.number = c.error;
		message.close.sent_bytes = c.position[FIXPOINT_SENT];
		message.close.received_bytes = c.position[FIXPOINT_RECEIVED];
		message.close.sent_unseen_bytes = c.unseen[FIXPOINT_SENT];
		message.close.received_unseen_bytes = c.unseen[FIXPOINT_RECEIVED];
		if (!stream_note(&s->stream, &message, sizeof(message)))
			return;
		bpf_map_delete_elem(map, &key);
	}
}

/* Also when nothing changed: it says that everything before it was delivered. */
static void say_stats(struct sensor *s)
{
	struct {
		struct fixpoint_event event;
		struct fixpoint_stats stats;
	} message = { .event = loader_event(FIXPOINT_STATS) };
	message.stats = read_counts(s);
	if (message.stats.drops[FIXPOINT_DROP_RING_FULL].events)
		tell_untold(s);
	if (stream_note(&s->stream, &message, sizeof(message)))
		s->told = message.stats;
}

static void forget_connections(struct sensor *s, uint32_t watch)
{
	int map = bpf_map__fd(s->bpf->maps.connections);
	uint64_t key, next;
	struct connection c;
	int left = bpf_map_get_next_key(map, NULL, &key);
	while (!left) {
		left = bpf_map_get_next_key(map, &key, &next);
		if (!bpf_map_lookup_elem(map, &key, &c) && c.watch == watch)
			bpf_map_delete_elem(map, &key);
		key = next;
	}
}

/* The place of a namespace in the table, or an empty one for it; NULL if there is none. */
static struct watch *find_watch(struct sensor *s, uint32_t netns, bool or_empty)
{
	struct watch *set = s->bpf->bss->watches[netns % WATCH_SETS];
	for (int way = 0; way < WATCH_WAYS; way++)
		if (set[way].netns == netns)
			return &set[way];
	for (int way = 0; or_empty && way < WATCH_WAYS; way++)
		if (!set[way].netns)
			return &set[way];
	return NULL;
}

static int watch(struct sensor *s, uint32_t netns, uint32_t id)
{
	struct watch *watch = netns ? find_watch(s, netns, true) : NULL;
	if (!watch)
		return netns ? ENOSPC : EINVAL;
	watch->id = id;
	__atomic_store_n(&watch->netns, netns, __ATOMIC_RELEASE);
	return 0;
}

static int unwatch(struct sensor *s, uint32_t netns)
{
	struct watch *watch = netns ? find_watch(s, netns, false) : NULL;
	if (!watch)
		return ENOENT;
	__atomic_store_n(&watch->netns, 0, __ATOMIC_RELEASE);
	forget_connections(s, watch->id);
	return 0;
}

static void obey(struct sensor *s, const struct fixpoint_control *c)
{
	struct fixpoint_event answer = loader_event(FIXPOINT_ANSWER);
	if (c->kind == FIXPOINT_WATCH)
		answer.number = watch(s, c->netns, c->watch);
	else if (c->kind == FIXPOINT_UNWATCH)
		answer.number = unwatch(s, c->netns);
	else if (c->kind == FIXPOINT_PING)
		say_stats(s); /* so that whoever waits for the answer knows what was lost */
	else
		answer.number = EINVAL;
	answer.watch = c->watch;
	answer.position = c->netns;
	answer.sequence = c->sequence;
	stream_note(&s->stream, &answer, sizeof(answer));
}

static void read_control(struct sensor *s)
{
	/* Unanswered questions wait in the socket while there is no room for their answers. */
	while (stream_room(&s->stream) > STREAM_NOTES_BYTES / 2) {
		ssize_t n = read(s->socket, s->control + s->control_filled,
				 sizeof(s->control) - s->control_filled);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			s->is_done = true;
		if (n <= 0)
			return;
		s->control_filled += n;
		if (s->control_filled == sizeof(s->control)) {
			obey(s, (struct fixpoint_control *)s->control);
			s->control_filled = 0;
		}
	}
}

static void tick(struct sensor *s)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	int64_t offset;
	if (now < s->next_stats_ns)
		return;
	s->next_stats_ns = now + s->options.stats_ms * 1000000ull;
	offset = wall_offset_ns();
	if (llabs(offset - s->wall_offset_ns) > WALL_STEP_NS) {
		s->wall_offset_ns = offset;
		say_hello(s);
	}
	say_stats(s);
}

static void watch_socket(struct sensor *s)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = s->socket };
	if (s->stream.is_blocked)
		event.events |= EPOLLOUT;
	epoll_ctl(s->events, EPOLL_CTL_MOD, s->socket, &event);
}

static int open_events(struct sensor *s)
{
	struct epoll_event event = { .events = EPOLLIN };
	sigset_t mask;
	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	s->events = epoll_create1(EPOLL_CLOEXEC);
	s->signals = signalfd(-1, &mask, SFD_CLOEXEC);
	if (s->events < 0 || s->signals < 0)
		return -errno;
	event.data.fd = s->signals;
	if (epoll_ctl(s->events, EPOLL_CTL_ADD, s->signals, &event))
		return -errno;
	event.data.fd = s->socket;
	if (epoll_ctl(s->events, EPOLL_CTL_ADD, s->socket, &event))
		return -errno;
	/* By edge: the ring wakes us when it says so, not whenever it holds something. */
	event.events = EPOLLIN | EPOLLET;
	event.data.fd = bpf_map__fd(s->bpf->maps.ring);
	return epoll_ctl(s->events, EPOLL_CTL_ADD, event.data.fd, &event) ? -errno : 0;
}

/* How long to wait. An idle sensor asks the kernel side to wake it and sleeps. */
static int patience_ms(struct sensor *s, enum stream_result sent)
{
	if (sent != STREAM_IDLE)
		s->idle_ticks = 0;
	else if (s->idle_ticks < TICKS_BEFORE_SLEEP)
		s->idle_ticks++;
	if (s->idle_ticks < TICKS_BEFORE_SLEEP)
		return s->options.drain_ms;
	s->bpf->bss->loader_sleeps = 1;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return stream_is_empty(&s->stream) ? SLEEP_MS : s->options.drain_ms;
}

static void poll_until_done(struct sensor *s)
{
	enum stream_result sent = STREAM_SENT;
	bool was_blocked = false;
	while (!s->is_done) {
		struct epoll_event ready[4];
		int n = epoll_wait(s->events, ready, 4, patience_ms(s, sent));
		for (int i = 0; i < n; i++) {
			if (ready[i].data.fd == s->signals)
				s->is_done = true;
			else if (ready[i].data.fd == s->socket && ready[i].events & ~EPOLLOUT)
				read_control(s);
		}
		tick(s);
		sent = stream_send(&s->stream);
		if (sent == STREAM_GONE)
			return;
		if (was_blocked != s->stream.is_blocked) {
			was_blocked = s->stream.is_blocked;
			watch_socket(s);
		}
	}
	say_stats(s);
	stream_send(&s->stream);
}

static int configure(struct sensor *s)
{
	struct sensor_bpf *bpf = s->bpf;
	uint64_t ring_bytes = (uint64_t)s->options.ring_mib << 20;
	int error;
	bpf->rodata->ring_bytes = ring_bytes;
	bpf->rodata->ring_reserve_bytes = ring_bytes / 64;
	bpf->rodata->wake_bytes = ring_bytes / 8;
	bpf->rodata->first_connection = clock_ns(CLOCK_REALTIME) / 1000000 * 4096;
	error = bpf_map__set_max_entries(bpf->maps.ring, ring_bytes);
	if (!error)
		error = bpf_map__set_max_entries(bpf->maps.connections, s->options.connections_max);
	if (!error)
		error = bpf_map__set_max_entries(bpf->maps.scratches, libbpf_num_possible_cpus());
	return error;
}

static int fail(const char *what, int error)
{
	fprintf(stderr, "fixpoint-sensor: %s: %s\n", what, strerror(error < 0 ? -error : error));
	return 1;
}

static int run(struct sensor *s)
{
	int error;
	s->bpf = sensor_bpf__open();
	if (!s->bpf)
		return fail("cannot open the BPF programs", errno);
	error = configure(s);
	if (error)
		return fail("cannot configure the BPF maps", error);
	error = sensor_bpf__load(s->bpf);
	if (error) {
		probe_explain(stderr);
		return fail("the kernel refused the BPF programs", error);
	}
	error = sensor_bpf__attach(s->bpf);
	if (error)
		return fail("cannot attach the BPF programs", error);
	s->socket = options_connect(&s->options);
	if (s->socket < 0)
		return fail("cannot reach the server", s->socket);
	error = stream_open(&s->stream, bpf_map__fd(s->bpf->maps.ring),
			    (uint64_t)s->options.ring_mib << 20, s->socket);
	if (error)
		return fail("cannot map the ring buffer", error);
	error = open_events(s);
	if (error)
		return fail("cannot wait for events", error);
	s->wall_offset_ns = wall_offset_ns();
	say_hello(s);
	poll_until_done(s);
	return 0;
}

int main(int argc, char **argv)
{
	static struct sensor s;
	int status;
	if (!options_parse(&s.options, argc, argv))
		return 2;
	if (s.options.is_probe)
		return probe_print(stdout);
	status = run(&s);
	sensor_bpf__destroy(s.bpf); /* the kernel detaches what is left when we exit */
	return status;
}
