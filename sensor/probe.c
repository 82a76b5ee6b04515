// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
/* Exists to say what this kernel allows, before and after it refused something. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "probe.h"
#include "watch.h"
#include "sensor.skel.h"

struct question {
	const char *name;
	bool is_needed;
	bool is_allowed;
	const char *hint;
};

enum { BTF, RING, LOOP, TRACING, SENSOR, FENTRY, KPROBE, QUESTIONS };

static int quiet(enum libbpf_print_level level, const char *format, va_list arguments)
{
	(void)level, (void)format, (void)arguments;
	return 0;
}

/* Loads and throws away a program of two instructions: the only test that is certain. */
static bool can_load(enum bpf_prog_type type, enum bpf_attach_type attach, const char *target)
{
	struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = attach);
	int fd, link = -1;
	if (target) {
		int id = libbpf_find_vmlinux_btf_id(target, attach);
		if (id < 0)
			return false;
		options.attach_btf_id = id;
	}
	fd = bpf_prog_load(type, NULL, "GPL", code, 2, &options);
	if (fd < 0)
		return false;
	if (target)
		link = bpf_raw_tracepoint_open(NULL, fd);
	close(fd);
	if (link >= 0)
		close(link);
	return !target || link >= 0;
}

static bool can_load_sensor(void)
{
	struct sensor_bpf *bpf = sensor_bpf__open();
	bool ok = bpf && !sensor_bpf__load(bpf) && !sensor_bpf__attach(bpf);
	sensor_bpf__destroy(bpf);
	return ok;
}

static void ask(struct question *q)
{
	libbpf_print_fn_t before = libbpf_set_print(quiet);
	q[BTF] = (struct question){ "btf", true, !access("/sys/kernel/btf/vmlinux", R_OK),
		"a kernel with CONFIG_DEBUG_INFO_BTF=y" };
	q[RING] = (struct question){ "ringbuf", true,
		libbpf_probe_bpf_map_type(BPF_MAP_TYPE_RINGBUF, NULL) == 1,
		"Linux 5.8 and CAP_BPF" };
	q[LOOP] = (struct question){ "bpf_loop", true,
		libbpf_probe_bpf_helper(BPF_PROG_TYPE_RAW_TRACEPOINT, BPF_FUNC_loop, NULL) == 1,
		"Linux 5.17 and CAP_BPF" };
	q[TRACING] = (struct question){ "tp_btf", true,
		can_load(BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP, "sys_exit"),
		"CAP_BPF and CAP_PERFMON (or root)" };
	q[SENSOR] = (struct question){ "sensor", true, can_load_sensor(),
		"Linux 6.2 (bpf_rdonly_cast) and the above" };
	q[FENTRY] = (struct question){ "fentry", false,
		can_load(BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY, "tcp_sendmsg"), "" };
	q[KPROBE] = (struct question){ "kprobe", false,
		can_load(BPF_PROG_TYPE_KPROBE, 0, NULL) &&
			!access("/sys/bus/event_source/devices/kprobe/type", R_OK), "" };
	libbpf_set_print(before);
}

int probe_print(FILE *out)
{
	struct question q[QUESTIONS];
	struct utsname host;
	bool ok = true;
	ask(q);
	uname(&host);
	fprintf(out, "{\"kernel\":\"%s\",\"machine\":\"%s\",\"features\":{", host.release,
		host.machine);
	for (int i = 0; i < QUESTIONS; i++)
		fprintf(out, "%s\"%s\":%s", i ? "," : "", q[i].name,
			q[i].is_allowed ? "true" : "false");
	fprintf(out, "},\"missing\":[");
	for (int i = 0; i < QUESTIONS; i++) {
		if (!q[i].is_needed || q[i].is_allowed)
			continue;
		fprintf(out, "%s{\"feature\":\"%s\",\"needs\":\"%s\"}", ok ? "" : ",", q[i].name,
			q[i].hint);
		ok = false;
	}
	fprintf(out, "],\"ok\":%s}\n", ok ? "true" : "false");
	return ok ? 0 : 1;
}

void probe_explain(FILE *out)
{
	struct question q[QUESTIONS];
	ask(q);
	for (int i = 0; i < QUESTIONS; i++)
		if (q[i].is_needed && !q[i].is_allowed)
			fprintf(out, "fixpoint-sensor: this kernel lacks %s; it needs %s\n",
				q[i].name, q[i].hint);
}

void probe_features(struct sensor_bpf *bpf, char *out, size_t size)
{
	snprintf(out, size, "tcp udp ipv4 ipv6%s%s",
		 bpf->links.state_changed ? " states" : "",
		 bpf->links.socket_destroyed ? " close-check" : "");
}
