/*
 * Makes the processor call itself one of AMD's, for programs that start with this library in LD_PRELOAD: what they and their
 * libraries choose there can be run on an Intel processor whose CPUID may be forbidden (flag cpuid_fault in /proc/cpuinfo).
 * AMD_FAMILY is zen3 (AVX2, as without it) or zen4 (AVX-512). Speed stays this processor's, and so do its caches; only their
 * sizes are told as AMD's. Linux on x86-64 with glibc.
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <dlfcn.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

enum { EAX, EBX, ECX, EDX };
#define SET_CPUID 0x1012 /* of arch_prctl: 0 makes the instruction fault in this thread and in those it starts */
#define BIT(n) (1u << (n))

/* AVX-512 and AMX in leaf 7; what is 0 there for Zen 3. */
#define AVX512_EBX (BIT(16) | BIT(17) | BIT(21) | BIT(26) | BIT(27) | BIT(28) | BIT(30) | BIT(31))
#define AVX512_ECX (BIT(1) | BIT(6) | BIT(11) | BIT(12) | BIT(14))
#define INTEL_EDX (BIT(2) | BIT(3) | BIT(8) | BIT(22) | BIT(23) | BIT(24) | BIT(25)) /* no AMD has these */
#define BF16_EAX BIT(5)
#define SSE4A BIT(6)

static int is_zen4;
static struct sigaction others; /* who else waits for this signal */
static int (*libc_sigaction)(int, const struct sigaction *, struct sigaction *);

static void vendor(uint32_t r[4]) {
  memcpy(&r[EBX], "Auth", 4);
  memcpy(&r[EDX], "enti", 4);
  memcpy(&r[ECX], "cAMD", 4);
}

/* Leaf 8000001D: level 1 for data and for instructions, 2, 3. */
static void cache(uint32_t number, uint32_t r[4]) {
  static const struct { uint32_t type, level, kilobytes, ways; } caches[] = {
      {1, 1, 32, 8}, {2, 1, 32, 8}, {3, 2, 512, 8}, {3, 3, 32768, 16}};
  memset(r, 0, 16);
  if (number > 3) return;
  const uint32_t kilobytes = caches[number].kilobytes << (number == 2 && is_zen4);
  r[EAX] = caches[number].type | caches[number].level << 5 | BIT(8);
  r[EBX] = 63 | (caches[number].ways - 1) << 22;
  r[ECX] = kilobytes * 1024 / 64 / caches[number].ways - 1;
}

static void as_amd(uint32_t leaf, uint32_t part, uint32_t r[4]) {
  char name[48] = "AMD EPYC, as told by amd_cpuid.c";
  switch (leaf) {
  case 0: r[EAX] = 0x10; vendor(r); break;
  case 1: r[EAX] = is_zen4 ? 0x00A10F11 : 0x00A00F11; break;
  case 7:
    if (part > 0) {
      r[EAX] &= is_zen4 ? BF16_EAX : 0;
      r[EBX] = r[ECX] = r[EDX] = 0;
      break;
    }
    r[EAX] = is_zen4; /* the last part there is */
    r[EBX] &= is_zen4 ? ~0u : ~AVX512_EBX;
    r[ECX] &= is_zen4 ? ~0u : ~AVX512_ECX;
    r[EDX] &= ~INTEL_EDX;
    break;
  case 0x80000000: r[EAX] = 0x80000021; vendor(r); break;
  case 0x80000001: r[ECX] |= SSE4A; break;
  case 0x80000002: case 0x80000003: case 0x80000004: memcpy(r, name + 16 * (leaf - 0x80000002), 16); break;
  case 0x80000005: r[ECX] = r[EDX] = 0x20080140; break;
  case 0x80000006: r[ECX] = is_zen4 ? 0x04006140 : 0x02006140; r[EDX] = 0x01009140; break;
  case 0x8000001D: cache(part, r); break;
  case 2: case 4: case 0x8000001E: memset(r, 0, 16); break; /* Intel's caches, and AMD's nodes */
  default: if (leaf > 0x10 && leaf < 0x40000000) memset(r, 0, 16);
  }
}

static void answer(int signal, siginfo_t *info, void *context) {
  greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
  const uint8_t *code = (const uint8_t *)registers[REG_RIP];
  if (info->si_code == SI_KERNEL && code[0] == 0x0f && code[1] == 0xa2) {
    const uint32_t leaf = registers[REG_RAX], part = registers[REG_RCX];
    uint32_t r[4];
    syscall(SYS_arch_prctl, SET_CPUID, 1);
    __cpuid_count(leaf, part, r[EAX], r[EBX], r[ECX], r[EDX]);
    syscall(SYS_arch_prctl, SET_CPUID, 0);
    as_amd(leaf, part, r);
    registers[REG_RAX] = r[EAX];
    registers[REG_RBX] = r[EBX];
    registers[REG_RCX] = r[ECX];
    registers[REG_RDX] = r[EDX];
    registers[REG_RIP] += 2;
  } else if (others.sa_flags & SA_SIGINFO) {
    others.sa_sigaction(signal, info, context);
  } else if (others.sa_handler != SIG_DFL && others.sa_handler != SIG_IGN) {
    others.sa_handler(signal);
  } else {
    const struct sigaction usual = {.sa_handler = SIG_DFL};
    libc_sigaction(SIGSEGV, &usual, 0);
  }
}

/* Others' handlers of this signal come after ours. */
int sigaction(int signal, const struct sigaction *new, struct sigaction *old) {
  if (!libc_sigaction) *(void **)&libc_sigaction = dlsym(RTLD_NEXT, "sigaction");
  if (signal != SIGSEGV) return libc_sigaction(signal, new, old);
  if (old) *old = others;
  if (new) others = *new;
  return 0;
}

extern const void *__x86_get_cpuid_feature_leaf(unsigned) __attribute__((weak));

/* glibc asked before this library was loaded: what it remembers of a leaf, as the processor has it and as it may be used. */
static void remember(unsigned leaf, int place, uint32_t without, uint32_t with) {
  uint32_t *words = (uint32_t *)__x86_get_cpuid_feature_leaf(leaf);
  const long page = sysconf(_SC_PAGESIZE);
  mprotect((void *)((uintptr_t)words & -page), 2 * page, PROT_READ | PROT_WRITE);
  for (int i = place; i < 8; i += 4) words[i] = (words[i] & ~without) | with;
}

__attribute__((constructor)) static void start(void) {
  const char *family = getenv("AMD_FAMILY");
  is_zen4 = family && strcmp(family, "zen4") == 0;
  if (syscall(SYS_arch_prctl, SET_CPUID, 1)) return; /* CPUID cannot be forbidden here: the processor stays what it is */
  if (__x86_get_cpuid_feature_leaf) {
    remember(2, ECX, 0, SSE4A); /* leaf 80000001 */
    if (!is_zen4) remember(1, EBX, AVX512_EBX, 0); /* leaf 7 */
  }
  if (!libc_sigaction) *(void **)&libc_sigaction = dlsym(RTLD_NEXT, "sigaction");
  const struct sigaction ours = {.sa_sigaction = answer, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
  libc_sigaction(SIGSEGV, &ours, 0);
  syscall(SYS_arch_prctl, SET_CPUID, 0);
}
