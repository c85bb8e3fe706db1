// SPDX-License-Identifier: Apache-2.0
//
// Loaded into linux.uml with LD_PRELOAD. User-mode Linux 6.1 restores a process's floating point registers with
// PTRACE_SETREGSET from a buffer of 2,696 bytes. On CPUs with AMX the kernel refuses anything but the whole XSAVE area
// ("ptrace set fp regs failed, errno = 14"), so the buffer is padded here. Newer user-mode Linux asks for the size.

#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define PTRACE_PEEKTEXT 1
#define PTRACE_PEEKUSER 3
#define PTRACE_SETREGSET 0x4205
#define NT_X86_XSTATE 0x202

/* The XSAVE header's bitmap of the components that follow (Intel SDM volume 1, 13.4.2), and those that lie within the
 * 2,696 bytes that user-mode Linux saves: x87 up to PKRU. */
#define XSTATE_BV 512
#define SAVED_COMPONENTS ((1UL << 10) - 1)

static char area[65536] __attribute__((aligned(64)));

long ptrace(int request, ...)
{
	va_list ap;
	va_start(ap, request);
	long pid = va_arg(ap, long);
	void *addr = va_arg(ap, void *);
	void *data = va_arg(ap, void *);
	va_end(ap);

	if (request >= PTRACE_PEEKTEXT && request <= PTRACE_PEEKUSER) {
		/* The C library returns the word, the system call stores it. */
		long word = 0;
		if (syscall(SYS_ptrace, (long)request, pid, addr, &word) < 0)
			return -1;
		errno = 0;
		return word;
	}
	if (request == PTRACE_SETREGSET && addr == (void *)NT_X86_XSTATE) {
		struct iovec *saved = data;
		struct iovec padded = { area, sizeof area };
		size_t n = saved->iov_len < sizeof area ? saved->iov_len : sizeof area;
		memcpy(area, saved->iov_base, n);
		*(unsigned long *)(area + XSTATE_BV) &= SAVED_COMPONENTS;
		return syscall(SYS_ptrace, (long)request, pid, addr, &padded);
	}
	return syscall(SYS_ptrace, (long)request, pid, addr, data);
}
