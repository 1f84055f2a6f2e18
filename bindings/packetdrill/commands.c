/* bindings/packetdrill/commands.c - what a script says of the interface and of the host's memory.
 *
 * packetdrill hands back-quoted commands to a shell by system(3). Preloaded, this object sees them
 * first: `tc qdisc` lines about the root of tun0 concern the interface whose place it takes, and
 * are obeyed here and not run; `ip tcp_metrics flush` forgets the cookies of Fast Open, and is run
 * as well. All else goes to the shell as it stands. */
#include "object.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMAND_MOST 512

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static void set(struct object *o, bool full, bool fair)
{
    o->settings.device_full = full;
    o->settings.pacing = o->settings.pacing_fair_queue = fair;
    ltcp_host_set_settings(o->host, &o->settings);
}

/* "add dev tun0 root pfifo limit 0", "replace dev tun0 root fq", "del dev tun0 root"; false: it is
 * another queue. The interface takes what comes at once, so that only a queue without room drops.
 */
static bool queue(struct object *o, const char *words)
{
    static const char where[] = " dev tun0 root";
    const char *at = strstr(words, where);
    char kind[32] = "";
    long limit = -1;
    if (at == NULL) return false;
    const int found = sscanf(at + strlen(where), " %31s limit %ld", kind, &limit);
    if (found < 1 || begins(kind, "2>") || strcmp(kind, "pfifo") == 0)
        set(o, limit == 0, false);
    else if (strcmp(kind, "fq") == 0)
        set(o, false, true);
    else
        return false;
    return true;
}

/* One simple command; true: it is done. */
static bool obey(struct object *o, const char *command)
{
    bool done = false;
    pthread_mutex_lock(&o->lock);
    if (begins(command, "ip tcp_metrics flush"))
        ltcp_fast_open_flush(o->host);
    else if (begins(command, "tc qdisc "))
        done = queue(o, command + strlen("tc qdisc "));
    pthread_mutex_unlock(&o->lock);
    return done;
}

/* Simple commands end at these; quotes do not matter to those that are obeyed. */
static size_t simple_length(const char *text)
{
    size_t n = 0;
    while (text[n] != '\0' && strchr("\n;|", text[n]) == NULL &&
           !(text[n] == '&' && text[n + 1] == '&'))
        n++;
    return n;
}

/* What is done already becomes `:` in what the shell gets. */
static void leave_out(struct object *o, char *text)
{
    while (*text != '\0') {
        const size_t blank = strspn(text, " \t\n;|&"), n = simple_length(text += blank);
        char command[COMMAND_MOST];
        if (n > 0 && n < sizeof command) {
            memcpy(command, text, n);
            command[n] = '\0';
            if (obey(o, command)) {
                memset(text, ' ', n);
                *text = ':';
            }
        }
        text += n;
    }
}

__attribute__((visibility("default"))) int system(const char *command)
{
    int (*shell)(const char *) = NULL;
    struct object *o = object_now();
    *(void **)&shell = dlsym(RTLD_NEXT, "system");
    if (shell == NULL) return -1;
    char *text = o != NULL && command != NULL ? strdup(command) : NULL;
    if (text == NULL) return shell(command);
    leave_out(o, text);
    const int result = shell(text);
    free(text);
    return result;
}
