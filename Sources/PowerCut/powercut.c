/* An interposed library (LD_PRELOAD) that remembers what each file held at its last sync, so that after a kill -9 the
 * drill can take back what a power cut would have taken: Sources/Drills/PowerCut.swift reads what is written here.
 *
 * A kill alone loses nothing: the kernel keeps what was written. So before each change of a file below
 * POWERCUT_DIRECTORY the old bytes go to the journal POWERCUT_JOURNAL/journal (outside of that directory), and each
 * sync leaves a mark at its begin and at its end: what was written before the begin of a sync that ended is durable.
 * Names are kept likewise: they are durable when their directory was synced.
 *
 * A record is a header (struct record) and `stored` bytes: old content, or paths that each end with a zero byte.
 * Records of one file are in the order of its changes, since both happen under that file's lock.
 *
 * Deliberately absent: memory maps (LMDB writes with pwrite and writev unless WRITEMAP is on, which Baton never uses),
 * lock files, and the names of directories, which are taken to be durable at once.
 *
 * Faults: the file POWERCUT_JOURNAL/plan (struct plan, written by Sources/Drills/Side/FaultPlan.swift while the side
 * runs) says which call on which kind of file fails, and how. What was not synced when a sync fails is lost for good:
 * the kernel takes such pages for clean, and a later sync that succeeds says nothing of them.
 *
 * POWERCUT_BREAK turns on a known bug, which the drill must find:
 * - acknowledge-before-sync: syncs of log segments return at once and mark nothing, as on a disk, or in a program, that
 *   acknowledges too early.
 * - retry-fsync: a sync that fails is tried again before the program hears of it, and the second one succeeds. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { SECTOR = 512, MOST_FILES = 65536, LOCKS = 64, PATH_BYTES = 4096, MAGIC = 0x43575250 };

enum kind {
    CHANGE = 1,         /* before bytes of [offset, offset + length) change, or the size */
    WRITTEN_THROUGH = 2, /* an O_DSYNC write of that range returned; sizeBefore is the size after it */
    SYNC_BEGIN = 3,
    SYNC_END = 4,
    CREATE = 5,         /* path; what was known of the inode is void */
    RENAME = 6,         /* from, to, link to what stood at `to` (may be empty) */
    UNLINK = 7,         /* path, link to what stood there */
    NAMES_BEGIN = 8,    /* path of the directory */
    NAMES_END = 9,
    SYNC_FAILED = 10,
};

enum fault { INPUT_OUTPUT_ERROR = 1, NO_SPACE = 2, SHORT_WRITE = 3 };
enum call { WRITES = 1, SYNCS = 2 };
enum files { SEGMENTS = 1, SUPERBLOCKS = 2, STORE = 3, SPARES = 4 };

/* Which call fails. The drill writes all but `armed`, then `armed`. */
struct plan {
    _Atomic uint32_t armed, fault, call, files;
    _Atomic int32_t before; /* matching calls that still succeed */
    _Atomic uint32_t stays; /* every matching call after the first failure fails too */
    _Atomic uint32_t struck;
};

struct record {
    uint32_t magic, kind;
    uint64_t inode, token, offset, sizeBefore;
    uint32_t length; /* of the range; what is not stored of it was zero */
    uint32_t stored;
};

static char directory[PATH_BYTES], journalDirectory[PATH_BYTES];
static size_t directoryBytes;
static int journal = -1;
static int acknowledgesBeforeSync, retriesSync;
static struct plan *plan;
static _Atomic uint64_t tokens;
static _Atomic uint64_t inodeOf[MOST_FILES];
static _Atomic int readerOf[MOST_FILES]; /* descriptor + 1 of a reader of a write-only file */
static _Atomic char writesThrough[MOST_FILES];
static pthread_mutex_t locks[LOCKS];

static void give_up(const char *what) {
    dprintf(2, "powercut: %s: %s\n", what, strerror(errno));
    abort();
}

__attribute__((constructor)) static void begin(void) {
    for (int index = 0; index < LOCKS; index++) pthread_mutex_init(&locks[index], NULL);
    const char *below = getenv("POWERCUT_DIRECTORY"), *aside = getenv("POWERCUT_JOURNAL");
    if (!below || !aside) return;
    char path[PATH_BYTES];
    snprintf(directory, sizeof directory, "%s", below);
    snprintf(journalDirectory, sizeof journalDirectory, "%s", aside);
    if (snprintf(path, sizeof path, "%s/journal", aside) >= PATH_BYTES) give_up("the path is too long");
    directoryBytes = strlen(directory);
    const char *broken = getenv("POWERCUT_BREAK");
    acknowledgesBeforeSync = broken && strcmp(broken, "acknowledge-before-sync") == 0;
    retriesSync = broken && strcmp(broken, "retry-fsync") == 0;
    tokens = (uint64_t)getpid() << 32;
    journal = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (journal < 0) give_up(path);
    snprintf(path, sizeof path, "%.4000s/plan", aside);
    int planned = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
    if (planned < 0) return;
    plan = mmap(NULL, sizeof *plan, PROT_READ | PROT_WRITE, MAP_SHARED, planned, 0);
    if (plan == MAP_FAILED) give_up(path);
    syscall(SYS_close, planned);
}

static void note(struct record record, const void *stored) {
    record.magic = MAGIC;
    struct iovec parts[2] = {{&record, sizeof record}, {(void *)stored, record.stored}};
    ssize_t wanted = (ssize_t)(sizeof record + record.stored);
    if (syscall(SYS_writev, journal, parts, record.stored ? 2 : 1) != wanted) give_up("the journal is not whole");
}

static int is_below(const char *path) {
    if (journal < 0 || strncmp(path, directory, directoryBytes) != 0) return 0;
    return path[directoryBytes] == '/' || path[directoryBytes] == 0;
}

static int is_lock_file(const char *path) {
    const char *name = strrchr(path, '/');
    name = name ? name + 1 : path;
    return strcmp(name, "LOCK") == 0 || strcmp(name, "lock.mdb") == 0 || strcmp(name, "writer.lock") == 0;
}

static int path_of(int descriptor, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t count = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_BYTES - 1);
    if (count < 0) return 0;
    path[count] = 0;
    return 1;
}

/* The absolute path of a name; 0 when it does not lie below the directory. */
static int resolve(int base, const char *name, char *path) {
    char before[PATH_BYTES];
    if (name[0] == '/') {
        snprintf(path, PATH_BYTES, "%s", name);
    } else {
        if (base == AT_FDCWD) {
            if (!getcwd(before, sizeof before)) return 0;
        } else if (!path_of(base, before)) {
            return 0;
        }
        if (snprintf(path, PATH_BYTES, "%s/%s", before, name) >= PATH_BYTES) return 0;
    }
    return is_below(path) && !is_lock_file(path);
}

static uint64_t tracked(int descriptor) {
    if (journal < 0 || descriptor < 0 || descriptor >= MOST_FILES || !inodeOf[descriptor]) return 0;
    struct stat status;
    /* Whoever closed the descriptor past us gave its number to another file. */
    if (fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) && status.st_ino == inodeOf[descriptor])
        return status.st_ino;
    inodeOf[descriptor] = 0;
    return 0;
}

static pthread_mutex_t *lock_of(uint64_t inode) {
    pthread_mutex_t *lock = &locks[inode % LOCKS];
    pthread_mutex_lock(lock);
    return lock;
}

static int is_zero(const unsigned char *bytes, size_t count) {
    return count == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, count - 1) == 0);
}

/* ---- Faults ---- */

static enum files files_of(const char *path) {
    const char *name = strrchr(path, '/');
    name = name ? name + 1 : path;
    if (strncmp(name, "segment-", 8) == 0) return SEGMENTS;
    if (strncmp(name, "superblock-", 11) == 0) return SUPERBLOCKS;
    if (strcmp(name, "data.mdb") == 0) return STORE;
    return strncmp(name, "new-", 4) == 0 ? SPARES : 0;
}

/* The fault that this call meets; 0 for none. */
static enum fault fault_of(int descriptor, enum call call) {
    char path[PATH_BYTES];
    if (!plan || !plan->armed || plan->call != call) return 0;
    if (!path_of(descriptor, path) || files_of(path) != plan->files) return 0;
    int32_t before = atomic_fetch_sub(&plan->before, 1);
    if (before > 0 || (before < 0 && !plan->stays)) return 0;
    atomic_fetch_add(&plan->struck, 1);
    return plan->fault;
}

/* How many of `count` bytes a write that meets a fault still writes: an error says nothing of what reached the disk. */
static size_t written_of(size_t count) { return count / 2 / SECTOR * SECTOR; }

static ssize_t faulty(enum fault fault, ssize_t done) {
    if (fault == SHORT_WRITE) return done;
    errno = fault == NO_SPACE ? ENOSPC : EIO;
    return -1;
}

/* Notes what [offset, offset + count) holds, in whole sectors, and the size. The file's lock is held. */
static void preserve(int descriptor, uint64_t inode, uint64_t offset, uint64_t count) {
    struct stat status;
    if (fstat(descriptor, &status) != 0) give_up("fstat");
    uint64_t size = (uint64_t)status.st_size;
    uint64_t end = (offset + count + SECTOR - 1) / SECTOR * SECTOR;
    offset = offset / SECTOR * SECTOR;
    do {
        uint64_t length = end - offset > (1u << 20) ? (1u << 20) : end - offset;
        struct record record = {.kind = CHANGE, .inode = inode, .offset = offset, .sizeBefore = size};
        record.length = (uint32_t)length;
        unsigned char *old = NULL;
        if (offset < size && length > 0) {
            size_t wanted = size - offset < length ? size - offset : length;
            old = malloc(wanted);
            if (!old) give_up("malloc");
            int reader = readerOf[descriptor] ? readerOf[descriptor] - 1 : descriptor;
            ssize_t got = syscall(SYS_pread64, reader, old, wanted, offset);
            if (got < 0) give_up("reading what is to be overwritten");
            record.stored = is_zero(old, (size_t)got) ? 0 : (uint32_t)got;
        }
        note(record, old);
        free(old);
        offset += length;
    } while (offset < end);
}

static void written(int descriptor, uint64_t inode, uint64_t offset, ssize_t count) {
    if (count <= 0 || !writesThrough[descriptor]) return;
    struct stat status;
    if (fstat(descriptor, &status) != 0) give_up("fstat");
    struct record record = {.kind = WRITTEN_THROUGH, .inode = inode, .offset = offset};
    record.sizeBefore = (uint64_t)status.st_size;
    record.length = (uint32_t)count;
    note(record, NULL);
}

/* ---- Opening and closing ---- */

static void follow(int descriptor, const char *path, int flags, int isNew) {
    struct stat status;
    if (descriptor >= MOST_FILES || fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) return;
    if (isNew) {
        struct record record = {.kind = CREATE, .inode = status.st_ino, .stored = (uint32_t)strlen(path) + 1};
        note(record, path);
    }
    if ((flags & O_ACCMODE) == O_WRONLY) {
        char link[64];
        snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
        int reader = (int)syscall(SYS_openat, AT_FDCWD, link, O_RDONLY | O_CLOEXEC, 0);
        if (reader < 0) give_up("a reader of a file that is written");
        readerOf[descriptor] = reader + 1;
    }
    writesThrough[descriptor] = (flags & (O_DSYNC | O_SYNC)) != 0;
    inodeOf[descriptor] = status.st_ino;
}

static int open_at(int base, const char *name, int flags, mode_t mode) {
    char path[PATH_BYTES];
    if (journal < 0 || (flags & O_ACCMODE) == O_RDONLY || !resolve(base, name, path))
        return (int)syscall(SYS_openat, base, name, flags, mode);
    struct stat status;
    int isNew = (flags & O_CREAT) && fstatat(base, name, &status, AT_SYMLINK_NOFOLLOW) != 0;
    /* Emptied by a call that is noted, not by opening. */
    int descriptor = (int)syscall(SYS_openat, base, name, flags & ~O_TRUNC, mode);
    if (descriptor < 0) return descriptor;
    follow(descriptor, path, flags, isNew);
    if ((flags & O_TRUNC) && !isNew && ftruncate(descriptor, 0) != 0) give_up("emptying a file");
    return descriptor;
}

#define MODE_ARGUMENT(flags, mode)                                                                                    \
    mode_t mode = 0;                                                                                                  \
    if ((flags) & (O_CREAT | O_TMPFILE)) {                                                                            \
        va_list list;                                                                                                 \
        va_start(list, flags);                                                                                        \
        mode = va_arg(list, mode_t);                                                                                  \
        va_end(list);                                                                                                 \
    }

int open(const char *name, int flags, ...) {
    MODE_ARGUMENT(flags, mode)
    return open_at(AT_FDCWD, name, flags, mode);
}

int open64(const char *name, int flags, ...) {
    MODE_ARGUMENT(flags, mode)
    return open_at(AT_FDCWD, name, flags, mode);
}

int openat(int base, const char *name, int flags, ...) {
    MODE_ARGUMENT(flags, mode)
    return open_at(base, name, flags, mode);
}

int openat64(int base, const char *name, int flags, ...) {
    MODE_ARGUMENT(flags, mode)
    return open_at(base, name, flags, mode);
}

int creat(const char *name, mode_t mode) { return open_at(AT_FDCWD, name, O_CREAT | O_WRONLY | O_TRUNC, mode); }

int close(int descriptor) {
    if (descriptor >= 0 && descriptor < MOST_FILES) {
        inodeOf[descriptor] = 0;
        int reader = atomic_exchange(&readerOf[descriptor], 0);
        if (reader) syscall(SYS_close, reader - 1);
    }
    return (int)syscall(SYS_close, descriptor);
}

/* ---- Writing ---- */

ssize_t pwrite(int descriptor, const void *bytes, size_t count, off_t offset) {
    uint64_t inode = tracked(descriptor);
    if (!inode) return syscall(SYS_pwrite64, descriptor, bytes, count, offset);
    pthread_mutex_t *lock = lock_of(inode);
    preserve(descriptor, inode, (uint64_t)offset, count);
    enum fault fault = fault_of(descriptor, WRITES);
    ssize_t done = syscall(SYS_pwrite64, descriptor, bytes, fault ? written_of(count) : count, offset);
    if (fault) done = faulty(fault, done);
    int code = errno;
    written(descriptor, inode, (uint64_t)offset, done);
    pthread_mutex_unlock(lock);
    errno = code;
    return done;
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t count, off_t offset) {
    return pwrite(descriptor, bytes, count, offset);
}

static ssize_t write_parts(int descriptor, const struct iovec *parts, int number, int64_t at) {
    uint64_t inode = tracked(descriptor);
    if (!inode) {
        if (at >= 0) return syscall(SYS_pwritev, descriptor, parts, number, at, 0);
        return syscall(SYS_writev, descriptor, parts, number);
    }
    uint64_t count = 0;
    for (int index = 0; index < number; index++) count += parts[index].iov_len;
    pthread_mutex_t *lock = lock_of(inode);
    int64_t offset = at;
    if (at < 0) {
        int isAppending = (fcntl(descriptor, F_GETFL) & O_APPEND) != 0;
        struct stat status;
        if (fstat(descriptor, &status) != 0) give_up("fstat");
        offset = isAppending ? status.st_size : lseek(descriptor, 0, SEEK_CUR);
    }
    preserve(descriptor, inode, (uint64_t)offset, count);
    enum fault fault = fault_of(descriptor, WRITES);
    /* Of several parts all but the last. */
    int most = fault ? number - 1 : number;
    ssize_t done = most == 0 ? 0
        : at >= 0            ? syscall(SYS_pwritev, descriptor, parts, most, at, 0)
                             : syscall(SYS_writev, descriptor, parts, most);
    if (fault) done = faulty(fault, done);
    int code = errno;
    written(descriptor, inode, (uint64_t)offset, done);
    pthread_mutex_unlock(lock);
    errno = code;
    return done;
}

ssize_t write(int descriptor, const void *bytes, size_t count) {
    if (!tracked(descriptor)) return syscall(SYS_write, descriptor, bytes, count);
    struct iovec part = {(void *)bytes, count};
    return write_parts(descriptor, &part, 1, -1);
}

ssize_t writev(int descriptor, const struct iovec *parts, int number) {
    return write_parts(descriptor, parts, number, -1);
}

ssize_t pwritev(int descriptor, const struct iovec *parts, int number, off_t offset) {
    return write_parts(descriptor, parts, number, offset);
}

ssize_t pwritev64(int descriptor, const struct iovec *parts, int number, off_t offset) {
    return write_parts(descriptor, parts, number, offset);
}

int ftruncate(int descriptor, off_t size) {
    uint64_t inode = tracked(descriptor);
    if (!inode) return (int)syscall(SYS_ftruncate, descriptor, size);
    pthread_mutex_t *lock = lock_of(inode);
    struct stat status;
    if (fstat(descriptor, &status) != 0) give_up("fstat");
    preserve(descriptor, inode, (uint64_t)size, status.st_size > size ? (uint64_t)(status.st_size - size) : 0);
    int result = (int)syscall(SYS_ftruncate, descriptor, size);
    int code = errno;
    pthread_mutex_unlock(lock);
    errno = code;
    return result;
}

int ftruncate64(int descriptor, off_t size) { return ftruncate(descriptor, size); }

int fallocate(int descriptor, int mode, off_t offset, off_t count) {
    uint64_t inode = tracked(descriptor);
    if (!inode) return (int)syscall(SYS_fallocate, descriptor, mode, offset, count);
    pthread_mutex_t *lock = lock_of(inode);
    /* Without a mode only the size changes; with one (holes, zeros) the bytes do. */
    preserve(descriptor, inode, (uint64_t)offset, mode ? (uint64_t)count : 0);
    int result = (int)syscall(SYS_fallocate, descriptor, mode, offset, count);
    int code = errno;
    pthread_mutex_unlock(lock);
    errno = code;
    return result;
}

int fallocate64(int descriptor, int mode, off_t offset, off_t count) {
    return fallocate(descriptor, mode, offset, count);
}

int posix_fallocate(int descriptor, off_t offset, off_t count) {
    int before = errno;
    int code = fallocate(descriptor, 0, offset, count) == 0 ? 0 : errno;
    errno = before;
    return code;
}

int posix_fallocate64(int descriptor, off_t offset, off_t count) { return posix_fallocate(descriptor, offset, count); }

/* ---- Making durable ---- */

static int is_log_segment(int descriptor) {
    char path[PATH_BYTES];
    if (!path_of(descriptor, path)) return 0;
    const char *name = strrchr(path, '/');
    return name && strncmp(name, "/segment-", 9) == 0;
}

static int synchronize(long call, int descriptor) {
    uint64_t inode = tracked(descriptor);
    struct record record = {.kind = SYNC_BEGIN, .inode = inode, .token = atomic_fetch_add(&tokens, 1)};
    char path[PATH_BYTES];
    struct stat status;
    if (inode) {
        if (acknowledgesBeforeSync && is_log_segment(descriptor)) return 0;
        pthread_mutex_t *lock = lock_of(inode);
        note(record, NULL);
        pthread_mutex_unlock(lock);
    } else if (
        journal >= 0 && fstat(descriptor, &status) == 0 && S_ISDIR(status.st_mode) && path_of(descriptor, path)
        && is_below(path)) {
        record.kind = NAMES_BEGIN;
        record.stored = (uint32_t)strlen(path) + 1;
        note(record, path);
        record.stored = 0;
    } else {
        return (int)syscall(call, descriptor);
    }
    if (inode) {
        enum fault fault = fault_of(descriptor, SYNCS);
        if (fault) {
            struct record failed = {.kind = SYNC_FAILED, .inode = inode, .token = record.token};
            note(failed, NULL);
            if (!retriesSync) return (int)faulty(fault == SHORT_WRITE ? INPUT_OUTPUT_ERROR : fault, 0);
        }
    }
    int result = (int)syscall(call, descriptor);
    int code = errno;
    record.kind = record.kind == SYNC_BEGIN ? SYNC_END : NAMES_END;
    if (result == 0) note(record, NULL);
    errno = code;
    return result;
}

int fdatasync(int descriptor) { return synchronize(SYS_fdatasync, descriptor); }

int fsync(int descriptor) { return synchronize(SYS_fsync, descriptor); }

/* ---- Names ---- */

/* A second name outside of the directory, so that what a name stood for can be given back. */
static void keep(const char *path, char *kept) {
    snprintf(
        kept, PATH_BYTES, "%.2048s/kept-%llx", journalDirectory, (unsigned long long)atomic_fetch_add(&tokens, 1));
    if (syscall(SYS_linkat, AT_FDCWD, path, AT_FDCWD, kept, 0) != 0) kept[0] = 0;
}

static void note_names(enum kind kind, const char *const *paths, int number) {
    char names[3 * PATH_BYTES];
    struct record record = {.kind = kind};
    for (int index = 0; index < number; index++) {
        size_t count = strlen(paths[index]) + 1;
        memcpy(names + record.stored, paths[index], count);
        record.stored += (uint32_t)count;
    }
    note(record, names);
}

static int rename_at(int fromBase, const char *from, int toBase, const char *to, unsigned flags) {
    char source[PATH_BYTES], target[PATH_BYTES], kept[PATH_BYTES];
    if (journal < 0 || !resolve(fromBase, from, source) || !resolve(toBase, to, target))
        return (int)syscall(SYS_renameat2, fromBase, from, toBase, to, flags);
    keep(target, kept);
    int result = (int)syscall(SYS_renameat2, fromBase, from, toBase, to, flags);
    int code = errno;
    if (result == 0) note_names(RENAME, (const char *const[]){source, target, kept}, 3);
    errno = code;
    return result;
}

int rename(const char *from, const char *to) { return rename_at(AT_FDCWD, from, AT_FDCWD, to, 0); }

int renameat(int fromBase, const char *from, int toBase, const char *to) {
    return rename_at(fromBase, from, toBase, to, 0);
}

int renameat2(int fromBase, const char *from, int toBase, const char *to, unsigned flags) {
    return rename_at(fromBase, from, toBase, to, flags);
}

int unlinkat(int base, const char *name, int flags) {
    char path[PATH_BYTES], kept[PATH_BYTES];
    if (journal < 0 || (flags & AT_REMOVEDIR) || !resolve(base, name, path))
        return (int)syscall(SYS_unlinkat, base, name, flags);
    keep(path, kept);
    int result = (int)syscall(SYS_unlinkat, base, name, flags);
    int code = errno;
    if (result == 0) note_names(UNLINK, (const char *const[]){path, kept}, 2);
    errno = code;
    return result;
}

int unlink(const char *name) { return unlinkat(AT_FDCWD, name, 0); }
