/* Counts the calls that make things last, and at the chosen one kills the process or fails with EIO; slows and fails
   writing below a folder; sets the clock. Loaded by LD_PRELOAD, and steered in two ways:
   `arm(n, error)` from within (n = 0 only counts), or SHIM_POINT=n for a process that is to be killed there;
   SHIM_SWITCH=FILE, a file of four numbers that the test changes while the process runs, for what lies below SHIM_UNDER:
   {EIO on write, EIO on fsync, milliseconds that an fsync takes, seconds that the clock is off}. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static long counted, wanted;
static int failing;
static const volatile long *turned;
static const char *under;

void arm(long n, int error) { counted = 0; wanted = n; failing = error; }
long count(void) { return counted; }

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("SHIM_SWITCH"), *point = getenv("SHIM_POINT");
  under = getenv("SHIM_UNDER");
  if (point) arm(atol(point), 0);
  int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (fd < 0) return;
  void *found = mmap(NULL, 4 * sizeof(long), PROT_READ, MAP_SHARED, fd, 0);
  close(fd);
  if (found != MAP_FAILED) turned = found;
}

static int reached(void) {
  if (wanted < 0 || ++counted != wanted) return 0;
  if (!failing) kill(getpid(), SIGKILL);
  errno = EIO;
  return 1;
}

static int is_below(int fd) {
  char link[32], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  return under && length > 0 && !strncmp(path, under, strlen(under));
}

static int refused(int which, int fd) {
  if (!turned || !turned[which] || !is_below(fd)) return 0;
  errno = EIO;
  return 1;
}

static void dawdle(int fd) {
  if (turned && turned[2] && is_below(fd)) usleep(turned[2] * 1000);
}

#define REAL(name, result, parameters)                     \
  static result(*real) parameters;                         \
  if (!real) *(void **)&real = dlsym(RTLD_NEXT, #name)

#define LASTING(name, parameters, arguments)  \
  int name parameters {                       \
    REAL(name, int, parameters);              \
    return reached() ? -1 : real arguments;   \
  }

#define SETTLING(name)                                            \
  int name(int fd) {                                              \
    REAL(name, int, (int));                                       \
    dawdle(fd);                                                   \
    return reached() || refused(1, fd) ? -1 : real(fd);           \
  }

#define WRITING(name, parameters, arguments)            \
  ssize_t name parameters {                             \
    REAL(name, ssize_t, parameters);                    \
    return refused(0, fd) ? -1 : real arguments;        \
  }

SETTLING(fsync)
SETTLING(fdatasync)
WRITING(write, (int fd, const void *from, size_t size), (fd, from, size))
WRITING(pwrite, (int fd, const void *from, size_t size, off_t at), (fd, from, size, at))
WRITING(pwrite64, (int fd, const void *from, size_t size, off64_t at), (fd, from, size, at))
LASTING(rename, (const char *from, const char *to), (from, to))
LASTING(renameat, (int a, const char *from, int b, const char *to), (a, from, b, to))
LASTING(unlink, (const char *path), (path))
LASTING(unlinkat, (int fd, const char *path, int flags), (fd, path, flags))
LASTING(link, (const char *from, const char *to), (from, to))
LASTING(linkat, (int a, const char *from, int b, const char *to, int flags), (a, from, b, to, flags))

int clock_gettime(clockid_t which, struct timespec *now) {
  REAL(clock_gettime, int, (clockid_t, struct timespec *));
  int told = real(which, now);
  if (!told && turned && which == CLOCK_REALTIME) now->tv_sec += turned[3];
  return told;
}

time_t time(time_t *now) {
  struct timespec found;
  clock_gettime(CLOCK_REALTIME, &found);
  if (now) *now = found.tv_sec;
  return found.tv_sec;
}
