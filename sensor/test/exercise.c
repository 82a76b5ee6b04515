// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
/*
 * Exists to use sockets in every way that an app may, and to write down, on its own, what went
 * through each end: FOLDER/LOCALPORT-PEERPORT.sent and .received hold the bytes that system calls
 * reported as moved. The test compares them with what the sensor saw.
 *
 *     exercise FOLDER SCENARIO
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB (1 << 20)
#define CHECK(condition) ((condition) ? (void)0 : die(#condition, __LINE__))

static void die(const char *what, int line)
{
	fprintf(stderr, "exercise: line %d: %s: %s\n", line, what, strerror(errno));
	exit(1);
}

static const char *folder;
static uint32_t seed = 1;

/* One end of a connection, with its own record of what passed. */
struct end {
	int fd;
	FILE *sent, *received;
};

static uint16_t port_of(int fd, bool is_peer)
{
	struct sockaddr_in6 a = {};
	socklen_t size = sizeof(a);
	CHECK(!(is_peer ? getpeername : getsockname)(fd, (struct sockaddr *)&a, &size));
	return ntohs(a.sin6_port); /* at the same place in IPv4 */
}

static FILE *log_for(int local, int peer, const char *direction)
{
	char path[512];
	FILE *file;
	snprintf(path, sizeof(path), "%s/%d-%d.%s", folder, local, peer, direction);
	CHECK(file = fopen(path, "ab"));
	return file;
}

static struct end end_of(int fd)
{
	int local = port_of(fd, false), peer = port_of(fd, true);
	return (struct end){ fd, log_for(local, peer, "sent"), log_for(local, peer, "received") };
}

static void end_logs(struct end *e)
{
	fclose(e->sent);
	fclose(e->received);
}

static void end_close(struct end *e)
{
	CHECK(!close(e->fd));
	end_logs(e);
}

static ssize_t note(FILE *log, const void *bytes, ssize_t n)
{
	if (n > 0)
		CHECK(fwrite(bytes, 1, n, log) == (size_t)n);
	return n;
}

static uint8_t *noise(size_t size)
{
	uint8_t *bytes = malloc(size + 1);
	for (size_t i = 0; i < size; i++) {
		seed = seed * 1664525 + 1013904223;
		bytes[i] = seed >> 24;
	}
	return bytes;
}

static void listen_on(int *fd, struct sockaddr_storage *a, socklen_t *size, bool is_v6)
{
	memset(a, 0, sizeof(*a));
	a->ss_family = is_v6 ? AF_INET6 : AF_INET;
	*size = is_v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	if (is_v6)
		((struct sockaddr_in6 *)a)->sin6_addr = in6addr_loopback;
	else
		((struct sockaddr_in *)a)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CHECK((*fd = socket(a->ss_family, SOCK_STREAM, 0)) >= 0);
	CHECK(!bind(*fd, (struct sockaddr *)a, *size));
	CHECK(!listen(*fd, 16));
	CHECK(!getsockname(*fd, (struct sockaddr *)a, size));
}

/* A connection of this process with itself: [0] connected, [1] accepted. */
static void make_pair(struct end pair[2], bool is_v6)
{
	struct sockaddr_storage a;
	socklen_t size;
	int listener, client, server;
	listen_on(&listener, &a, &size, is_v6);
	CHECK((client = socket(a.ss_family, SOCK_STREAM, 0)) >= 0);
	CHECK(!connect(client, (struct sockaddr *)&a, size));
	CHECK((server = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0);
	close(listener);
	pair[0] = end_of(client);
	pair[1] = end_of(server);
}

static void send_all(struct end *e, const uint8_t *bytes, size_t size)
{
	for (size_t at = 0; at < size;) {
		ssize_t n = note(e->sent, bytes + at, write(e->fd, bytes + at, size - at));
		if (n < 0 && errno == EAGAIN) {
			struct pollfd wait = { e->fd, POLLOUT, 0 };
			poll(&wait, 1, -1);
			continue;
		}
		CHECK(n > 0);
		at += n;
	}
}

/* Until `size` bytes came or the other side ended. */
static void receive(struct end *e, size_t size)
{
	static __thread uint8_t bytes[3 * MIB];
	while (size) {
		size_t most = size < sizeof(bytes) ? size : sizeof(bytes);
		ssize_t n = note(e->received, bytes, read(e->fd, bytes, most));
		CHECK(n >= 0);
		if (!n)
			return;
		size -= n;
	}
}

static void *receive_everything(void *end)
{
	receive(end, SIZE_MAX);
	return NULL;
}

static void one_way(struct end *from, struct end *to, size_t size)
{
	pthread_t reader;
	uint8_t *bytes = noise(size);
	CHECK(!pthread_create(&reader, NULL, receive_everything, to));
	send_all(from, bytes, size);
	CHECK(!shutdown(from->fd, SHUT_WR));
	pthread_join(reader, NULL);
	free(bytes);
}

static void large(void)
{
	struct end pair[2];
	make_pair(pair, false);
	one_way(&pair[0], &pair[1], 10 * MIB);
	one_way(&pair[1], &pair[0], 10 * MIB + 1);
	end_close(&pair[0]);
	end_close(&pair[1]);
}

static void sizes(void)
{
	static const size_t edges[] = { 1, 16383, 16384, 16385, 32768, 32769, 100000 };
	struct end pair[2];
	make_pair(pair, true);
	for (size_t i = 0; i < sizeof(edges) / sizeof(*edges); i++) {
		uint8_t *bytes = noise(edges[i]);
		send_all(&pair[i & 1], bytes, edges[i]);
		receive(&pair[~i & 1], edges[i]);
		free(bytes);
	}
	end_close(&pair[0]);
	end_close(&pair[1]);
}

static void iovecs(void)
{
	struct iovec out[1024], in[1024];
	struct msghdr message = { .msg_iov = out, .msg_iovlen = 300 };
	struct end pair[2];
	uint8_t *bytes = noise(MIB), *got = malloc(MIB);
	size_t at = 0;
	ssize_t n;
	make_pair(pair, false);
	for (int i = 0; i < 1024; i++) {
		size_t size = i % 7 == 3 ? 0 : (i * 37) % 200;
		out[i] = (struct iovec){ bytes + at, size };
		in[i] = (struct iovec){ got + at, size };
		at += size;
	}
	CHECK(note(pair[0].sent, bytes, n = writev(pair[0].fd, out, 1024)) > 0);
	CHECK(note(pair[1].received, got, readv(pair[1].fd, in, 1024)) == n);
	CHECK(note(pair[1].sent, bytes, n = sendmsg(pair[1].fd, &message, 0)) > 0);
	message.msg_iov = in;
	CHECK(note(pair[0].received, got, recvmsg(pair[0].fd, &message, MSG_WAITALL)) == n);
	CHECK(note(pair[0].sent, bytes, n = pwritev2(pair[0].fd, out, 9, -1, 0)) > 0);
	CHECK(note(pair[1].received, got, preadv2(pair[1].fd, in, 9, -1, 0)) == n);
	/* Buffers far larger than what comes. */
	in[0] = (struct iovec){ got, 10 };
	in[1] = (struct iovec){ got + 10, MIB - 10 };
	send_all(&pair[0], bytes, 5000);
	CHECK(note(pair[1].received, got, readv(pair[1].fd, in, 2)) == 5000);
	end_close(&pair[0]);
	end_close(&pair[1]);
}

static void peek(void)
{
	struct end pair[2];
	struct iovec iov;
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
	uint8_t *bytes = noise(4000), got[4000];
	iov = (struct iovec){ got, sizeof(got) };
	make_pair(pair, false);
	send_all(&pair[0], bytes, 4000);
	CHECK(recv(pair[1].fd, got, 100, MSG_PEEK) == 100);
	CHECK(recvmsg(pair[1].fd, &message, MSG_PEEK) == 4000);
	CHECK(recv(pair[1].fd, got, 4000, MSG_PEEK | MSG_TRUNC) > 0);
	CHECK(note(pair[1].received, got, recv(pair[1].fd, got, 1000, 0)) == 1000);
	CHECK(recv(pair[1].fd, got, 10, MSG_PEEK) == 10);
	/* Thrown away unread: no bytes to compare, the position moves. The test knows of 500. */
	CHECK(recv(pair[1].fd, NULL, 200, MSG_TRUNC) == 200);
	CHECK(recv(pair[1].fd, got, 200, MSG_TRUNC) == 200);
	iov.iov_len = 100;
	CHECK(recvmsg(pair[1].fd, &message, MSG_TRUNC) == 100);
	CHECK(note(pair[1].received, got, recv(pair[1].fd, got, 4000, 0)) == 2500);
	end_close(&pair[0]);
	end_close(&pair[1]);
}

/* Several descriptors and processes, one socket. */
static void shared(void)
{
	struct end pair[2], twin;
	uint8_t *bytes = noise(30000);
	pid_t child;
	int status;
	make_pair(pair, false);
	twin = pair[0];
	CHECK((twin.fd = dup(pair[0].fd)) >= 0);
	send_all(&pair[0], bytes, 10000);
	CHECK(!close(pair[0].fd));
	fflush(NULL);
	child = fork();
	if (!child) {
		send_all(&twin, bytes + 10000, 10000);
		fflush(NULL);
		_exit(3);
	}
	CHECK(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 3);
	CHECK((twin.fd = fcntl(twin.fd, F_DUPFD, 700)) >= 700);
	send_all(&twin, bytes + 20000, 10000);
	receive(&pair[1], 30000);
	CHECK(dup2(2, twin.fd) == twin.fd); /* one descriptor of two ends so */
	CHECK(!shutdown(pair[1].fd, SHUT_RDWR));
	end_logs(&twin);
	end_logs(&pair[1]);
	_exit(0); /* the rest end with the process */
}

static void nonblocking(void)
{
	struct sockaddr_storage a;
	socklen_t size;
	int listener, client, server;
	uint8_t *bytes = noise(8 * MIB);
	struct end to, from;
	struct pollfd wait;
	pthread_t reader;
	listen_on(&listener, &a, &size, false);
	CHECK((client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)) >= 0);
	CHECK(connect(client, (struct sockaddr *)&a, size) < 0 && errno == EINPROGRESS);
	wait = (struct pollfd){ client, POLLOUT, 0 };
	CHECK(poll(&wait, 1, -1) == 1);
	CHECK(!connect(client, (struct sockaddr *)&a, size) || errno == EISCONN);
	CHECK((server = accept(listener, NULL, NULL)) >= 0);
	to = end_of(client);
	from = end_of(server);
	CHECK(!pthread_create(&reader, NULL, receive_everything, &from));
	send_all(&to, bytes, 8 * MIB);
	CHECK(!shutdown(client, SHUT_WR));
	pthread_join(reader, NULL);
	end_close(&to);
	end_close(&from);
	/* And one that is refused only later. */
	close(listener);
	CHECK((client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)) >= 0);
	connect(client, (struct sockaddr *)&a, size);
	close(client);
}

/* The side that ended its half reads what the other still sends, long after that one left. */
static void half_closed(void)
{
	struct end pair[2];
	uint8_t *bytes = noise(60000);
	make_pair(pair, false);
	send_all(&pair[0], bytes, 1000);
	CHECK(!shutdown(pair[0].fd, SHUT_WR));
	receive(&pair[1], SIZE_MAX);
	send_all(&pair[1], bytes, 60000);
	end_close(&pair[1]);
	usleep(20000);
	receive(&pair[0], 20000);
	receive(&pair[0], SIZE_MAX);
	end_close(&pair[0]);
}

static void reused(void)
{
	for (int i = 0; i < 200; i++) {
		struct end pair[2];
		uint8_t *bytes = noise(100 + i);
		make_pair(pair, false);
		send_all(&pair[i & 1], bytes, 100 + i);
		receive(&pair[~i & 1], 100 + i);
		free(bytes);
		if (i % 3 == 0) { /* ends by reset */
			struct linger now = { 1, 0 };
			setsockopt(pair[0].fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		}
		end_close(&pair[0]);
		end_close(&pair[1]);
	}
}

/* Bytes that never pass the program's memory: the file's own bytes are put into the log. */
static void files(void)
{
	struct end pair[2];
	uint8_t *bytes = noise(200000);
	FILE *file = tmpfile();
	int pipes[2];
	off_t at = 0;
	make_pair(pair, false);
	fwrite(bytes, 1, 200000, file);
	fflush(file);
	while (at < 200000) {
		off_t before = at;
		CHECK(sendfile(pair[0].fd, fileno(file), &at, 200000 - at) > 0);
		note(pair[0].sent, bytes + before, at - before);
		receive(&pair[1], at - before);
	}
	CHECK(!pipe(pipes));
	CHECK(write(pipes[1], bytes, 3000) == 3000);
	CHECK(note(pair[0].sent, bytes, splice(pipes[0], NULL, pair[0].fd, NULL, 3000, 0)) == 3000);
	CHECK(note(pair[1].received, bytes,
		   splice(pair[1].fd, NULL, pipes[1], NULL, 3000, 0)) == 3000);
	send_all(&pair[0], bytes, 10);
	receive(&pair[1], 10);
	end_close(&pair[0]);
	end_close(&pair[1]);
}

/* The log of a datagram: its peer's port, its length, the bytes. */
static void note_datagram(FILE *log, uint16_t peer, uint32_t size, const void *bytes, size_t copied)
{
	fwrite(&peer, 2, 1, log);
	fwrite(&size, 4, 1, log);
	note(log, bytes, copied);
}

static int datagram_socket(uint16_t *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK(fd >= 0 && !bind(fd, (struct sockaddr *)&a, sizeof(a)));
	*port = port_of(fd, false);
	return fd;
}

static void datagrams_many(int from, int to, uint16_t from_port, uint16_t to_port, FILE *sent,
			   FILE *received)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(to_port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in names[20];
	struct mmsghdr messages[20] = {};
	struct iovec parts[20][2];
	uint8_t *bytes = noise(20 * 3000);
	int n;
	for (int i = 0; i < 20; i++) {
		parts[i][0] = (struct iovec){ bytes + i * 3000, i * 10 };
		parts[i][1] = (struct iovec){ bytes + i * 3000 + i * 10, i * 100 };
		messages[i].msg_hdr = (struct msghdr){ &a, sizeof(a), parts[i], 2, NULL, 0, 0 };
	}
	CHECK((n = sendmmsg(from, messages, 20, 0)) == 20);
	for (int i = 0; i < n; i++)
		note_datagram(sent, to_port, messages[i].msg_len, bytes + i * 3000,
			      messages[i].msg_len);
	for (int i = 0; i < 20; i++) {
		parts[i][0] = (struct iovec){ bytes + i * 3000, 5 };
		parts[i][1] = (struct iovec){ bytes + i * 3000 + 5, 2995 };
		messages[i].msg_hdr.msg_name = &names[i];
	}
	CHECK((n = recvmmsg(to, messages, 20, 0, NULL)) == 20);
	for (int i = 0; i < n; i++)
		note_datagram(received, from_port, messages[i].msg_len, bytes + i * 3000,
			      messages[i].msg_len);
}

static void datagrams(void)
{
	uint16_t ports[2];
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in name;
	socklen_t size = sizeof(name);
	int one = datagram_socket(&ports[0]), two = datagram_socket(&ports[1]);
	FILE *sent = log_for(ports[0], 0, "sent"), *received = log_for(ports[1], 0, "received");
	uint8_t *bytes = noise(60000), got[60000];
	ssize_t n;
	a.sin_port = htons(ports[1]);
	CHECK(sendto(one, bytes, 60000, 0, (struct sockaddr *)&a, sizeof(a)) == 60000);
	note_datagram(sent, ports[1], 60000, bytes, 60000);
	CHECK(recvfrom(two, got, sizeof(got), 0, (struct sockaddr *)&name, &size) == 60000);
	note_datagram(received, ports[0], 60000, got, 60000);
	datagrams_many(one, two, ports[0], ports[1], sent, received);
	CHECK(!connect(one, (struct sockaddr *)&a, sizeof(a)));
	for (int i = 0; i < 3; i++) {
		CHECK(send(one, bytes, 700 * i, 0) == 700 * i); /* the first is empty */
		note_datagram(sent, ports[1], 700 * i, bytes, 700 * i);
	}
	CHECK(recvfrom(two, got, 100, 0, (struct sockaddr *)&name, &size) == 0);
	note_datagram(received, ports[0], 0, got, 0);
	n = recvfrom(two, got, 100, MSG_TRUNC, (struct sockaddr *)&name, &size);
	CHECK(n == 700); /* its true length; 100 were copied */
	note_datagram(received, ports[0], 700, got, 100);
	CHECK(recvfrom(two, got, 100, MSG_PEEK, (struct sockaddr *)&name, &size) == 100);
	CHECK(recvfrom(two, got, 2000, 0, (struct sockaddr *)&name, &size) == 1400);
	note_datagram(received, ports[0], 1400, got, 1400);
	CHECK(write(one, bytes, 9) == 9);
	note_datagram(sent, ports[1], 9, bytes, 9);
	{ /* its true length again, now beyond several buffers */
		struct iovec parts[] = { { got, 2 }, { got + 2, 3 } };
		struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
		message.msg_name = &name;
		message.msg_namelen = sizeof(name);
		CHECK(recvmsg(two, &message, MSG_TRUNC) == 9);
		note_datagram(received, ports[0], 9, got, 5);
	}
	fclose(sent);
	fclose(received);
	close(one);
	close(two);
}

/* Ends by a signal, connections open, bytes unread. */
static void killed(void)
{
	struct end pair[2];
	uint8_t *bytes = noise(1000);
	make_pair(pair, false);
	send_all(&pair[0], bytes, 1000);
	receive(&pair[1], 400);
	end_logs(&pair[0]);
	end_logs(&pair[1]);
	raise(SIGKILL);
}

static void *stress_one(void *unused)
{
	struct end pair[2];
	uint8_t *bytes = malloc(70000);
	(void)unused;
	memset(bytes, 'a' + (int)((uintptr_t)unused % 26), 70000);
	make_pair(pair, false);
	for (int i = 0; i < 120; i++) {
		size_t size = 1 + (i * 7919) % 70000;
		send_all(&pair[i & 1], bytes, size);
		receive(&pair[~i & 1], size);
	}
	end_close(&pair[0]);
	end_close(&pair[1]);
	return NULL;
}

static void threads(void)
{
	pthread_t all[6];
	for (uintptr_t i = 0; i < 6; i++)
		CHECK(!pthread_create(&all[i], NULL, stress_one, (void *)i));
	for (int i = 0; i < 6; i++)
		pthread_join(all[i], NULL);
}

/* A connection that is there before anybody watches: goes on at every line of stdin. */
static void patient(void)
{
	struct end pair[2];
	uint8_t *bytes = noise(5000);
	char line[16];
	make_pair(pair, false);
	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		send_all(&pair[0], bytes, 5000);
		receive(&pair[1], 5000);
		fflush(NULL);
		puts("done");
		fflush(stdout);
	}
	end_close(&pair[0]);
	end_close(&pair[1]);
}

/* Sends 1000 bytes by a ring that no system call of ours shows. 77: the kernel has none. */
static void uring(void)
{
	struct io_uring_params p = {};
	int ring = syscall(SYS_io_uring_setup, 4, &p);
	struct io_uring_sqe *entries;
	struct end pair[2];
	uint8_t *bytes = noise(1000), *queue;
	if (ring < 0)
		exit(77);
	make_pair(pair, false);
	queue = mmap(NULL, p.sq_off.array + 16, PROT_READ | PROT_WRITE, MAP_SHARED, ring,
		     IORING_OFF_SQ_RING);
	entries = mmap(NULL, 4 * sizeof(*entries), PROT_READ | PROT_WRITE, MAP_SHARED, ring,
		       IORING_OFF_SQES);
	CHECK(queue != MAP_FAILED && entries != MAP_FAILED);
	entries[0] = (struct io_uring_sqe){ .opcode = IORING_OP_SEND, .fd = pair[0].fd,
					    .addr = (uintptr_t)bytes, .len = 1000 };
	((uint32_t *)(queue + p.sq_off.array))[0] = 0;
	__atomic_store_n((uint32_t *)(queue + p.sq_off.tail), 1, __ATOMIC_RELEASE);
	CHECK(syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) == 1);
	receive(&pair[1], 1000);
	end_close(&pair[0]);
	end_close(&pair[1]);
}

static void flood(void)
{
	struct end pair[2];
	make_pair(pair, false);
	one_way(&pair[0], &pair[1], 48 * MIB);
	end_close(&pair[0]);
	end_close(&pair[1]);
}

static const struct {
	const char *name;
	void (*run)(void);
} scenarios[] = {
	{ "large", large }, { "sizes", sizes }, { "iovecs", iovecs }, { "peek", peek },
	{ "shared", shared }, { "nonblocking", nonblocking }, { "half-closed", half_closed },
	{ "reused", reused }, { "files", files }, { "datagrams", datagrams },
	{ "killed", killed }, { "threads", threads }, { "patient", patient }, { "flood", flood },
	{ "uring", uring },
};

int main(int argc, char **argv)
{
	if (argc == 3)
		for (size_t i = 0; i < sizeof(scenarios) / sizeof(*scenarios); i++)
			if (!strcmp(argv[2], scenarios[i].name)) {
				folder = argv[1];
				scenarios[i].run();
				return 0;
			}
	fprintf(stderr, "usage: exercise FOLDER SCENARIO\n");
	return 2;
}
