/* Counts the calls that make things last, and at the chosen one kills the process or fails with EIO.
   Loaded by LD_PRELOAD; armed by `arm(n, error)`: n = 0 only counts. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/types.h>
#include <unistd.h>

static long counted, wanted;
static int failing;

void arm(long n, int error) { counted = 0; wanted = n; failing = error; }
long count(void) { return counted; }

static int reached(void) {
  if (wanted < 0 || ++counted != wanted) return 0;
  if (!failing) kill(getpid(), SIGKILL);
  errno = EIO;
  return 1;
}

#define LASTING(name, parameters, arguments)                              \
  int name parameters {                                                   \
    static int (*real) parameters;                                        \
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, #name);                 \
    return reached() ? -1 : real arguments;                               \
  }

LASTING(fsync, (int fd), (fd))
LASTING(fdatasync, (int fd), (fd))
LASTING(rename, (const char *from, const char *to), (from, to))
LASTING(renameat, (int a, const char *from, int b, const char *to), (a, from, b, to))
LASTING(unlink, (const char *path), (path))
LASTING(unlinkat, (int fd, const char *path, int flags), (fd, path, flags))
LASTING(link, (const char *from, const char *to), (from, to))
LASTING(linkat, (int a, const char *from, int b, const char *to, int flags), (a, from, b, to, flags))
