/* bindings/packetdrill/object.c - begins and ends: the host, its addresses, what --so_flags says.
 */
#include "object.h"
#include "crypto.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct object *the_object;

struct object *object_now(void)
{
    return the_object;
}

static void *resize(void *context, void *old, size_t old_size, size_t size)
{
    (void)context;
    (void)old_size;
    if (size != 0) return realloc(old, size);
    free(old);
    return NULL;
}

void object_adopt(struct object *o, const struct ltcp_address *address)
{
    struct ltcp_address own;
    uint32_t number;
    if (ltcp_address_is_unspecified(address) || ltcp_address_is_multicast(address) ||
        ltcp_address_is_broadcast(address))
        return;
    for (size_t i = 0; ltcp_host_address(o->host, i, &own, &number); i++)
        if (ltcp_address_equal(&own, address)) return;
    const uint8_t whole = ltcp_address_is_v4(address) ? 32 : 128;
    ltcp_host_add_address(o->host, o->interface_number, address, whole);
}

/* ---- what it is told --------------------------------------------------------------------------
 */

static void set_mtu(struct object *o, const char *text)
{
    const long mtu = strtol(text, NULL, 0);
    if (mtu >= 68 && mtu <= 65535) o->mtu = (uint32_t)mtu;
}

static void set_local(struct object *o, const char *text)
{
    struct ltcp_address address;
    if (o->host != NULL && ltcp_address_parse(text, &address) == LTCP_OK) object_adopt(o, &address);
}

/* "profile=rfc,mtu=1400,local=192.0.2.7,sysctl,rto_min=0.2" */
void object_read_flags(struct object *o)
{
    char copy[sizeof o->flags], *rest = NULL;
    memcpy(copy, o->flags, sizeof copy);
    for (char *word = strtok_r(copy, ", ", &rest); word != NULL;
         word = strtok_r(NULL, ", ", &rest)) {
        char *value = strchr(word, '=');
        if (value != NULL) *value++ = '\0';
        if (strcmp(word, "sysctl") == 0)
            o->read_sysctls = true;
        else if (value != NULL && strcmp(word, "mtu") == 0)
            set_mtu(o, value);
        else if (value != NULL && strcmp(word, "local") == 0)
            set_local(o, value);
        else if ((value == NULL || !settings_flag(o, word, value)) && o->host != NULL)
            fprintf(stderr, "liblunatcp_packetdrill: --so_flags: '%s' is not understood\n", word);
    }
}

/* packetdrill keeps its own options for itself; two of them concern whom it talks to. */
static void read_command_line(struct object *o)
{
    char line[8192];
    const int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    const ssize_t length = read(fd, line, sizeof line - 1);
    close(fd);
    if (length <= 0) return;
    line[length] = '\0';
    for (const char *word = line; word < line + length; word += strlen(word) + 1) {
        if (strncmp(word, "--mtu=", 6) == 0) set_mtu(o, word + 6);
        if (strncmp(word, "--local_ip=", 11) == 0) set_local(o, word + 11);
    }
}

/* ---- life -------------------------------------------------------------------------------------
 */

static void destroy(struct object *o)
{
    if (o == NULL) return;
    while (o->out_first != NULL) {
        struct ltcp_packet *packet = o->out_first;
        o->out_first = packet->next;
        packet->next = NULL;
        ltcp_packet_unref(packet);
    }
    if (o->sockets != NULL) ltcp_sockets_destroy(o->sockets, o->now);
    if (o->host != NULL) ltcp_host_destroy(o->host);
    if (o->pool != NULL) ltcp_pool_destroy(o->pool);
    pthread_cond_destroy(&o->changed);
    pthread_mutex_destroy(&o->lock);
    free(o);
}

static void member_free(void *userdata)
{
    if (the_object == userdata) the_object = NULL;
    destroy(userdata);
}

/* Both families reach everything; the interface answers for every address that turns up. */
static bool make_host(struct object *o)
{
    static const struct ltcp_address none;
    static const struct ltcp_siphash_key secret = {0x6c756e6174637031, 0x7061636b65746472};
    const struct ltcp_allocator allocator = {resize, NULL};
    o->pool = ltcp_pool_create(&allocator);
    if (o->pool == NULL) return false;
    o->host = ltcp_host_create(
        &(struct ltcp_host_config){.pool = o->pool, .settings = &o->settings, .secret = secret});
    if (o->host == NULL) return false;
    ltcp_host_set_crypto(o->host, ltcp_crypto());
    /* Numbers that the table chooses lie above all that the system gives. */
    o->sockets = ltcp_sockets_create(&(struct ltcp_sockets_config){
        .host = o->host, .pool = o->pool, .first = 1 << 15, .most = 1 << 16});
    const struct ltcp_address v4 = ltcp_address_v4(0, 0, 0, 0);
    return o->sockets != NULL &&
           ltcp_host_add_interface(o->host, o->mtu, &o->interface_number) == LTCP_OK &&
           ltcp_host_add_route(o->host, &v4, 0, o->interface_number) == LTCP_OK &&
           ltcp_host_add_route(o->host, &none, 0, o->interface_number) == LTCP_OK;
}

static struct object *create(const char *flags)
{
    struct object *o = calloc(1, sizeof *o);
    if (o == NULL) return NULL;
    pthread_mutex_init(&o->lock, NULL);
    pthread_cond_init(&o->changed, NULL);
    o->main_thread = pthread_self();
    o->now = BEGINNING;
    o->settings = ltcp_profile_linux;
    o->mtu = 1500;
    if (flags != NULL) snprintf(o->flags, sizeof o->flags, "%s", flags);
    /* Twice: the host is made as wide as they say, and then has the addresses that they say. */
    read_command_line(o);
    object_read_flags(o);
    if (!make_host(o)) {
        destroy(o);
        return NULL;
    }
    read_command_line(o);
    object_read_flags(o);
    /* What packetdrill's own runners use; those that were told of come first. */
    set_local(o, "192.168.0.1");
    set_local(o, "fd3d:0a0b:17d6::1");
    ltcp_host_set_settings(o->host, &o->settings);
    return o;
}

__attribute__((visibility("default"))) void
packetdrill_interface_init(const char *flags, struct packetdrill_interface *interface)
{
    struct object *o = create(flags);
    if (o == NULL) {
        fprintf(stderr, "liblunatcp_packetdrill: not enough memory\n");
        exit(EXIT_FAILURE);
    }
    the_object = o;
    memset(interface, 0, sizeof *interface);
    interface->userdata = o;
    interface->free = member_free;
    interface->netdev_send = member_netdev_send;
    interface->netdev_receive = member_netdev_receive;
    interface->usleep = member_usleep;
    interface->gettimeofday = member_gettimeofday;
    calls_install(interface);
}
