/* bindings/packetdrill/threads.c - is the other thread on its way into a call?
 *
 * packetdrill holds a call to be under way as soon as its thread sleeps for the first time, and
 * that may still be in a lock before the call. In real time nothing comes of it; here the main
 * thread would move the clock by as much as it likes before the call has begun. So it lets all
 * others come to rest before it does: asleep each time that one looks, a few times in a row. */
#include "object.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define LOOKS_MOST  5000 /* of which each takes some 60 microseconds */
#define LOOKS_QUIET 3

/* Its letter in /proc; 'S' for one that is gone. */
static char state_of(const char *thread)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/self/task/%.16s/stat", thread);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 'S';
    const ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    if (length <= 0) return 'S';
    text[length] = '\0';
    const char *end = strrchr(text, ')'); /* of the name, which may hold anything */
    return end != NULL && end[1] == ' ' ? end[2] : 'S';
}

enum others { NO_OTHERS, ASLEEP, AWAKE };

static enum others look(DIR *tasks)
{
    const long self = syscall(SYS_gettid);
    enum others found = NO_OTHERS;
    struct dirent *entry;
    rewinddir(tasks);
    while ((entry = readdir(tasks)) != NULL) {
        const long id = strtol(entry->d_name, NULL, 10);
        if (id <= 0 || id == self) continue;
        if (state_of(entry->d_name) != 'S') return AWAKE;
        found = ASLEEP;
    }
    return found;
}

void threads_settle(const struct object *o)
{
    if (!pthread_equal(pthread_self(), o->main_thread)) return;
    DIR *tasks = opendir("/proc/self/task");
    if (tasks == NULL) return;
    for (int looks = 0, quiet = 0; looks < LOOKS_MOST && quiet < LOOKS_QUIET; looks++) {
        const enum others others = look(tasks);
        if (others == NO_OTHERS) break;
        quiet = others == ASLEEP ? quiet + 1 : 0;
        sched_yield();
        if (quiet < LOOKS_QUIET) nanosleep(&(struct timespec){.tv_nsec = 10000}, NULL);
    }
    closedir(tasks);
}
