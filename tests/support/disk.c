// A disk between a process and the files of one folder, for tests: it writes down what is written, synced, cut and renamed,
// with the bytes and the thread; and it can fail calls, or let syncs hang, as the test says while the process runs.
// Loaded by LD_PRELOAD. The layouts of `struct plan` and `struct entry` are repeated in disk.rs.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum kind { WRITE = 1, PWRITE = 2, FSYNC = 4, FDATASYNC = 8, FTRUNCATE = 16, OPEN = 32 };
enum op { OP_CREATE = 1, OP_WRITE, OP_SYNC, OP_TRUNCATE, OP_RENAME, OP_UNLINK, OP_SYNC_FOLDER };

struct plan {
    _Atomic int64_t kinds;   // which calls are counted
    _Atomic int64_t counted; // how many were
    _Atomic int64_t from;    // the first that fails; 0 for none
    _Atomic int64_t until;   // the first after it that works again
    _Atomic int64_t number;  // errno
    _Atomic int64_t failed;  // how many have failed
    _Atomic int64_t stall;   // 1: syncs hang; 2: everything does
    _Atomic int64_t stalled; // how many hang
    _Atomic int64_t inside;  // how many are under way
};

struct entry {
    uint32_t op, path, data, thread_named_ledger;
    uint64_t offset, nanos;
};

#define FILES 4096
static char root[PATH_MAX];
static size_t root_length;
static int trace = -1;
static struct plan *plan;
static char *names[FILES];
static char appends[FILES];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define REAL(type, name, ...)                                                                                          \
    static type (*real)(__VA_ARGS__);                                                                                  \
    if (!real) real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

__attribute__((constructor)) static void begin(void) {
    const char *folder = getenv("PLANB_DISK_ROOT"), *file = getenv("PLANB_DISK_TRACE"), *said = getenv("PLANB_DISK_PLAN");
    if (!folder) return;
    strncpy(root, folder, sizeof root - 1);
    root_length = strlen(root);
    if (file) trace = syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (said) {
        int fd = syscall(SYS_openat, AT_FDCWD, said, O_RDWR | O_CLOEXEC, 0);
        void *mapped = mmap(NULL, sizeof *plan, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        plan = mapped == MAP_FAILED ? NULL : mapped;
        syscall(SYS_close, fd);
    }
}

// The path below the folder ("" is the folder itself), or NULL.
static const char *below(const char *path) {
    if (!root_length || !path || strncmp(path, root, root_length)) return NULL;
    if (path[root_length] == 0) return path + root_length;
    return path[root_length] == '/' ? path + root_length + 1 : NULL;
}

static const char *name_of(int fd) { return fd >= 0 && fd < FILES ? names[fd] : NULL; }

static int is_ledger(const char *name) { return name && !strncmp(name, "ledger.sqlite", 13); }

// What other processes and SQLite's own index of its log never need after a power cut.
static int is_kept(const char *name) {
    size_t length = name ? strlen(name) : 0;
    return name && !(length > 4 && !strcmp(name + length - 4, "-shm"));
}

static void rest(void) {
    struct timespec moment = {0, 1000000};
    nanosleep(&moment, NULL);
}

// Counts a call, lets it hang, or says with which errno it fails. Calls that go on are `inside` until `leave`.
static int enter(enum kind kind, const char *name) {
    if (!plan || !name) return 0;
    int syncs = kind == FSYNC || kind == FDATASYNC;
    for (int told = 0;;) {
        plan->inside++;
        if (!(plan->stall == 2 || (plan->stall == 1 && syncs))) break;
        plan->inside--;
        if (!told) plan->stalled++;
        told = 1;
        rest();
    }
    if (!is_ledger(name) || !(plan->kinds & kind)) return 0;
    int64_t number = ++plan->counted, from = plan->from;
    if (!from || number < from || number >= plan->until) return 0;
    plan->failed++;
    plan->inside--;
    return (int)plan->number;
}

static void leave(const char *name) {
    if (plan && name) plan->inside--;
}

static void put(enum op op, const char *name, uint64_t offset, const void *data, size_t length) {
    if (trace < 0 || !is_kept(name)) return;
    char thread[17] = {0};
    prctl(PR_GET_NAME, thread);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    struct entry entry = {op, (uint32_t)strlen(name), (uint32_t)length, !strcmp(thread, "ledger"), offset,
                          (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec};
    // One call, so that no kill leaves half an entry.
    size_t total = sizeof entry + entry.path + length;
    char *bytes = malloc(total);
    memcpy(bytes, &entry, sizeof entry);
    memcpy(bytes + sizeof entry, name, entry.path);
    if (length) memcpy(bytes + sizeof entry + entry.path, data, length);
    syscall(SYS_write, trace, bytes, total);
    free(bytes);
}

static int open_as(int folder, const char *path, int flags, mode_t mode) {
    const char *name = below(path);
    if (!name) return (int)syscall(SYS_openat, folder, path, flags, mode);
    int broken = (flags & O_CREAT) || is_ledger(name) ? enter(OPEN, name) : enter(0, name);
    if (broken) { errno = broken; return -1; }
    pthread_mutex_lock(&lock);
    struct stat before;
    int was = !stat(path, &before);
    int fd = (int)syscall(SYS_openat, folder, path, flags, mode), saved = errno;
    if (fd >= 0 && fd < FILES) {
        free(names[fd]);
        names[fd] = strdup(name);
        appends[fd] = (flags & O_APPEND) != 0;
        if (!was && (flags & O_CREAT)) put(OP_CREATE, name, 0, NULL, 0);
        if (was && (flags & O_TRUNC) && before.st_size > 0) put(OP_TRUNCATE, name, 0, NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    leave(name);
    errno = saved;
    return fd;
}

#define OPENS(function)                                                                                                \
    int function(const char *path, int flags, ...) {                                                                   \
        va_list more;                                                                                                  \
        va_start(more, flags);                                                                                         \
        mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(more, mode_t) : 0;                                      \
        va_end(more);                                                                                                  \
        return open_as(AT_FDCWD, path, flags, mode);                                                                   \
    }
OPENS(open)
OPENS(open64)
#define OPENS_AT(function)                                                                                             \
    int function(int folder, const char *path, int flags, ...) {                                                       \
        va_list more;                                                                                                  \
        va_start(more, flags);                                                                                         \
        mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(more, mode_t) : 0;                                      \
        va_end(more);                                                                                                  \
        return open_as(folder, path, flags, mode);                                                                     \
    }
OPENS_AT(openat)
OPENS_AT(openat64)

int close(int fd) {
    if (name_of(fd)) {
        pthread_mutex_lock(&lock);
        free(names[fd]);
        names[fd] = NULL;
        pthread_mutex_unlock(&lock);
    }
    return (int)syscall(SYS_close, fd);
}

static ssize_t write_as(enum kind kind, int fd, const void *data, size_t length, int64_t offset) {
    const char *name = name_of(fd);
    if (!name) return kind == WRITE ? syscall(SYS_write, fd, data, length) : syscall(SYS_pwrite64, fd, data, length, offset);
    int broken = enter(kind, name);
    if (broken) { errno = broken; return -1; }
    pthread_mutex_lock(&lock);
    if (kind == WRITE) {
        struct stat now;
        offset = appends[fd] && !fstat(fd, &now) ? now.st_size : lseek(fd, 0, SEEK_CUR);
    }
    ssize_t done = kind == WRITE ? syscall(SYS_write, fd, data, length) : syscall(SYS_pwrite64, fd, data, length, offset);
    int saved = errno;
    if (done > 0) put(OP_WRITE, name, (uint64_t)offset, data, (size_t)done);
    pthread_mutex_unlock(&lock);
    leave(name);
    errno = saved;
    return done;
}

ssize_t write(int fd, const void *data, size_t length) { return write_as(WRITE, fd, data, length, 0); }
ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) { return write_as(PWRITE, fd, data, length, offset); }
ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset) { return write_as(PWRITE, fd, data, length, offset); }

static int sync_as(enum kind kind, int fd) {
    const char *name = name_of(fd);
    long call = kind == FSYNC ? SYS_fsync : SYS_fdatasync;
    if (!name) return (int)syscall(call, fd);
    int broken = enter(kind, name);
    if (broken) { errno = broken; return -1; }
    pthread_mutex_lock(&lock);
    // The page cache is as good as a disk for whoever reads it back here: what a power cut takes, the trace tells.
    struct stat about;
    int folder = !fstat(fd, &about) && S_ISDIR(about.st_mode);
    put(folder ? OP_SYNC_FOLDER : OP_SYNC, name, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    leave(name);
    return 0;
}

int fsync(int fd) { return sync_as(FSYNC, fd); }
int fdatasync(int fd) { return sync_as(FDATASYNC, fd); }

static int cut_as(int fd, int64_t length) {
    const char *name = name_of(fd);
    if (!name) return (int)syscall(SYS_ftruncate, fd, length);
    int broken = enter(FTRUNCATE, name);
    if (broken) { errno = broken; return -1; }
    pthread_mutex_lock(&lock);
    int done = (int)syscall(SYS_ftruncate, fd, length), saved = errno;
    if (!done) put(OP_TRUNCATE, name, (uint64_t)length, NULL, 0);
    pthread_mutex_unlock(&lock);
    leave(name);
    errno = saved;
    return done;
}

int ftruncate(int fd, off_t length) { return cut_as(fd, length); }
int ftruncate64(int fd, off64_t length) { return cut_as(fd, length); }

int rename(const char *from, const char *to) {
    const char *old = below(from), *new = below(to);
    REAL(int, "rename", const char *, const char *);
    if (!old || !new) return real(from, to);
    enter(0, old);
    pthread_mutex_lock(&lock);
    int done = real(from, to), saved = errno;
    if (!done) put(OP_RENAME, old, 0, new, strlen(new));
    pthread_mutex_unlock(&lock);
    leave(old);
    errno = saved;
    return done;
}

int unlink(const char *path) {
    const char *name = below(path);
    REAL(int, "unlink", const char *);
    if (!name) return real(path);
    enter(0, name);
    pthread_mutex_lock(&lock);
    int done = real(path), saved = errno;
    if (!done) put(OP_UNLINK, name, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    leave(name);
    errno = saved;
    return done;
}
