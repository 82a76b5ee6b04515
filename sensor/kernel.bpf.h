/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
 *
 * Exists so that the probes can speak of tasks, files and sockets instead of kernel pointers.
 *
 * Pointers are followed by direct loads (BTF-typed, fault-safe): a helper call per field costs
 * ten times as much, and all of this runs on every system call of a watched app.
 */
#ifndef FIXPOINT_KERNEL_BPF_H
#define FIXPOINT_KERNEL_BPF_H

extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym;
#define AS(type, pointer) ((type *)bpf_rdonly_cast(pointer, bpf_core_type_id_kernel(type)))

#define AF_INET 2
#define AF_INET6 10
#define SOCK_DGRAM 2
#define S_IFMT 00170000
#define S_IFSOCK 0140000
#define EISCONN 106
#define EALREADY 114
#define EINPROGRESS 115
#define ERESTARTSYS 512
#define MSG_OOB 0x1
#define MSG_PEEK 0x2
#define MSG_TRUNC 0x20
#define MSG_ERRQUEUE 0x2000
#define MSG_FASTOPEN 0x20000000
#define SOL_TCP 6
#define TCP_ULP 31
#define SIGNAL_GROUP_EXIT 4

#if defined(__TARGET_ARCH_x86)
enum system_call {
	SYS_read = 0, SYS_write = 1, SYS_close = 3, SYS_readv = 19, SYS_writev = 20, SYS_dup2 = 33,
	SYS_sendfile = 40, SYS_socket = 41, SYS_connect = 42, SYS_accept = 43, SYS_sendto = 44,
	SYS_recvfrom = 45, SYS_sendmsg = 46, SYS_recvmsg = 47, SYS_shutdown = 48,
	SYS_setsockopt = 54, SYS_splice = 275, SYS_accept4 = 288, SYS_dup3 = 292,
	SYS_recvmmsg = 299, SYS_sendmmsg = 307, SYS_preadv2 = 327, SYS_pwritev2 = 328,
	SYS_io_uring_setup = 425,
};
#define TS_COMPAT 2
#define TIF_ADDR32 (1ul << 29)
#define CALL_NUMBER(regs) ((long)(regs)->orig_ax)
#define ARGUMENT1(regs) ((regs)->di)
#define ARGUMENT2(regs) ((regs)->si)
#define ARGUMENT3(regs) ((regs)->dx)
#define ARGUMENT4(regs) ((regs)->r10)
#define ARGUMENT5(regs) ((regs)->r8)
#elif defined(__TARGET_ARCH_arm64)
enum system_call {
	SYS_dup3 = 24, SYS_close = 57, SYS_read = 63, SYS_write = 64, SYS_readv = 65,
	SYS_writev = 66, SYS_sendfile = 71, SYS_splice = 76, SYS_socket = 198, SYS_accept = 202,
	SYS_connect = 203, SYS_sendto = 206, SYS_recvfrom = 207, SYS_setsockopt = 208,
	SYS_shutdown = 210, SYS_sendmsg = 211, SYS_recvmsg = 212, SYS_accept4 = 242,
	SYS_recvmmsg = 243, SYS_sendmmsg = 269, SYS_preadv2 = 286, SYS_pwritev2 = 287,
	SYS_io_uring_setup = 425, SYS_dup2 = -2,
};
#define TS_COMPAT 0
#define TIF_ADDR32 (1ul << 22) /* arm64: TIF_32BIT */
#define CALL_NUMBER(regs) ((long)(regs)->syscallno)
#define ARGUMENT1(regs) ((regs)->orig_x0)
#define ARGUMENT2(regs) ((regs)->regs[1])
#define ARGUMENT3(regs) ((regs)->regs[2])
#define ARGUMENT4(regs) ((regs)->regs[3])
#define ARGUMENT5(regs) ((regs)->regs[4])
#else
#error "the sensor knows the system calls of x86-64 and arm64 only"
#endif

struct user_message { /* struct user_msghdr as 64-bit programs lay it out */
	__u64 name;
	__u32 name_bytes;
	__u32 padding;
	__u64 iov;
	__u64 iov_count;
	__u64 control;
	__u64 control_bytes;
	__u32 flags;
	__u32 padding2;
};

struct user_mmessage {
	struct user_message message;
	__u32 length_bytes;
	__u32 padding;
};

struct user_iovec {
	__u64 base;
	__u64 length_bytes;
};

static __always_inline __u32 netns_of(struct task_struct *task)
{
	struct nsproxy *proxy = task->nsproxy;
	return proxy ? proxy->net_ns->ns.inum : 0;
}

static __always_inline struct file *file_of(struct task_struct *task, __u32 fd)
{
	struct fdtable *table = task->files->fdt;
	if (fd >= table->max_fds)
		return NULL;
	/* An element of the table is a struct file *, and so is the first member of this struct:
	 * a way to read it by a direct load. */
	return AS(struct kiocb, table->fd + fd)->ki_filp;
}

/* The file's socket if it is TCP or UDP over IPv4 or IPv6, else NULL. */
static __always_inline struct sock *socket_of(struct file *file)
{
	struct socket *socket;
	struct sock *sk;
	__u16 family;
	if ((file->f_inode->i_mode & S_IFMT) != S_IFSOCK)
		return NULL;
	socket = AS(struct socket, file->private_data);
	sk = socket->sk;
	if (!sk)
		return NULL;
	family = sk->__sk_common.skc_family;
	if (family != AF_INET && family != AF_INET6)
		return NULL;
	if (sk->sk_protocol != IPPROTO_TCP && sk->sk_protocol != IPPROTO_UDP)
		return NULL;
	return sk;
}

/* struct file counted references differently before 6.13. */
struct file___old {
	atomic_long_t f_count;
} __attribute__((preserve_access_index));

static __always_inline long references_of(struct file *file)
{
	if (bpf_core_field_exists(file->f_ref))
		return file->f_ref.refcnt.counter + 1; /* file_ref_t counts from zero */
	return BPF_CORE_READ((struct file___old *)file, f_count.counter);
}

/* Whether no descriptor leads to this socket any more. It may be freed already, not yet reused. */
static __always_inline bool is_abandoned(struct sock *sk)
{
	struct socket *socket = sk->sk_socket;
	struct file *file;
	if (!socket)
		return true;
	file = socket->file;
	return !file || references_of(file) <= 0;
}

static __always_inline void read_local_address(struct sock *sk, struct fixpoint_address *out)
{
	if (sk->__sk_common.skc_family == AF_INET) {
		out->family = 4;
		*(__u32 *)out->bytes = sk->__sk_common.skc_rcv_saddr;
	} else {
		out->family = 6;
		__builtin_memcpy(out->bytes, &sk->__sk_common.skc_v6_rcv_saddr, 16);
	}
	out->port = sk->__sk_common.skc_num;
}

static __always_inline void read_peer_address(struct sock *sk, struct fixpoint_address *out)
{
	out->port = bpf_ntohs(sk->__sk_common.skc_dport);
	if (!out->port)
		return; /* not connected */
	if (sk->__sk_common.skc_family == AF_INET) {
		out->family = 4;
		*(__u32 *)out->bytes = sk->__sk_common.skc_daddr;
	} else {
		out->family = 6;
		__builtin_memcpy(out->bytes, &sk->__sk_common.skc_v6_daddr, 16);
	}
}

/* A sockaddr in the app's memory; leaves family 0 if there is none or it is of another kind. */
static __always_inline void read_user_address(__u64 pointer, struct fixpoint_address *out)
{
	struct sockaddr_in6 address = {};
	if (!pointer || bpf_probe_read_user(&address, 16, (void *)pointer))
		return;
	if (address.sin6_family == AF_INET) {
		out->family = 4;
		*(__u32 *)out->bytes = ((struct sockaddr_in *)&address)->sin_addr.s_addr;
	} else if (address.sin6_family == AF_INET6) {
		if (bpf_probe_read_user(&address, sizeof(address), (void *)pointer))
			return;
		out->family = 6;
		out->scope = address.sin6_scope_id;
		__builtin_memcpy(out->bytes, &address.sin6_addr, 16);
	} else {
		return;
	}
	out->port = bpf_ntohs(address.sin6_port);
}

#endif
