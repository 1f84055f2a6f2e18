/* bindings/packetdrill/settings.c - what --so_flags and the namespace's sysctls set. */
#include "object.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- --so_flags -------------------------------------------------------------------------------
 */

static bool set_profile(struct object *o, const char *name)
{
    const struct ltcp_settings *profile = ltcp_profile(name);
    if (profile != NULL) o->settings = *profile;
    return profile != NULL;
}

static bool set_congestion(struct ltcp_settings *settings, const char *name)
{
    /* Two have other names in the kernel. */
    if (strcmp(name, "reno") == 0) name = "newreno";
    if (strcmp(name, "bbr") == 0) name = "bbr1";
    const struct ltcp_congestion_ops *ops = ltcp_congestion_find(name);
    if (ops != NULL) settings->congestion = ops;
    return ops != NULL;
}

/* A setting of the engine by its name; times are in seconds. */
bool settings_flag(struct object *o, const char *name, const char *value)
{
    char *end;
    if (strcmp(name, "profile") == 0) return o->sysctls_read || set_profile(o, value);
    if (strcmp(name, "congestion") == 0) return set_congestion(&o->settings, value);
    const struct ltcp_setting *setting = ltcp_setting_find(name);
    if (setting == NULL) return false;
    int64_t number;
    if (setting->kind == LTCP_KIND_TIME) {
        const double seconds = strtod(value, &end);
        if (!(fabs(seconds) < 1e9)) return false;
        number = seconds == -1 ? -1 : llround(seconds * 1e9);
    } else {
        number = strtoll(value, &end, 0);
    }
    return *value != '\0' && *end == '\0' &&
           ltcp_setting_set(&o->settings, setting, number) == LTCP_OK;
}

/* ---- sysctls ----------------------------------------------------------------------------------
 */

/* The file's first numbers; how many. */
static int read_numbers(const char *name, int64_t out[3])
{
    char path[128];
    snprintf(path, sizeof path, "/proc/sys/net/ipv4/%s", name);
    FILE *file = fopen(path, "re");
    if (file == NULL) return 0;
    long long number[3] = {0};
    const int found = fscanf(file, "%lld %lld %lld", &number[0], &number[1], &number[2]);
    fclose(file);
    for (int i = 0; i < 3; i++)
        out[i] = number[i];
    return found < 0 ? 0 : found;
}

/* name of the sysctl, of the setting, the unit of its numbers */
static const struct {
    const char *sysctl, *setting;
    int64_t unit;
} plain[] = {
    {"tcp_timestamps", "timestamps", 1},
    {"tcp_sack", "sack", 1},
    {"tcp_dsack", "dsack", 1},
    {"tcp_window_scaling", "window_scaling", 1},
    {"tcp_slow_start_after_idle", "slow_start_after_idle", 1},
    {"tcp_ecn", "ecn", 1},
    {"tcp_frto", "frto", 1},
    {"tcp_syn_retries", "syn_r2_count", 1},
    {"tcp_synack_retries", "synack_r2_count", 1},
    {"tcp_retries1", "r1_count", 1},
    {"tcp_retries2", "r2_count", 1},
    {"tcp_reordering", "duplicate_ack_threshold", 1},
    {"tcp_fin_timeout", "fin_wait_2_timeout", LTCP_SECOND},
    {"tcp_keepalive_time", "keepalive_idle", LTCP_SECOND},
    {"tcp_keepalive_intvl", "keepalive_interval", LTCP_SECOND},
    {"tcp_keepalive_probes", "keepalive_count", 1},
    {"tcp_invalid_ratelimit", "challenge_ack_interval", LTCP_MILLISECOND},
    {"tcp_min_tso_segs", "burst_least", 1},
    {"tcp_tso_win_divisor", "defer_bursts", 1},
    {"tcp_ecn_option", "accecn_option", 1},
    {"tcp_ecn_option_beacon", "accecn_beacon", 1},
    {"ip_default_ttl", "ttl", 1},
    {"tcp_fastopen_blackhole_timeout_sec", "fast_open_retry", LTCP_SECOND},
    {"tcp_mtu_probing", "mtu_probing", 1},
    {"tcp_base_mss", "mtu_base_mss", 1},
    {"tcp_mtu_probe_floor", "mtu_probe_floor", 1},
    {"tcp_probe_threshold", "mtu_probe_threshold", 1},
    {"tcp_moderate_rcvbuf", "tune_receive_buffer", 1},
};

static void set_by_name(struct ltcp_settings *settings, const char *name, int64_t value)
{
    const struct ltcp_setting *setting = ltcp_setting_find(name);
    if (setting == NULL) return;
    if (setting->kind == LTCP_KIND_FLAG) value = value != 0;
    ltcp_setting_set(settings, setting, value);
}

/* The greatest receive buffer decides the window's scale: its highest bit is bit 15 of the field.
 */
static int64_t scale_of(int64_t most)
{
    int64_t scale = 0;
    while (scale < 14 && INT64_C(1) << (scale + 16) <= most)
        scale++;
    return scale;
}

static void read_congestion(struct ltcp_settings *settings)
{
    char name[32] = "";
    FILE *file = fopen("/proc/sys/net/ipv4/tcp_congestion_control", "re");
    if (file == NULL) return;
    if (fscanf(file, "%31s", name) == 1) set_congestion(settings, name);
    fclose(file);
}

/* Four words, each with its octets the other way round; perhaps a second key after a comma. All
 * zero: the kernel has none yet. */
static void read_fast_open_keys(struct object *o)
{
    unsigned words[8] = {0};
    uint8_t keys[32];
    FILE *file = fopen("/proc/sys/net/ipv4/tcp_fastopen_key", "re");
    if (file == NULL) return;
    const int found = fscanf(file, "%x-%x-%x-%x,%x-%x-%x-%x", &words[0], &words[1], &words[2],
                             &words[3], &words[4], &words[5], &words[6], &words[7]);
    fclose(file);
    if (found < 4) return;
    for (int i = 0; i < 32; i++)
        keys[i] = (uint8_t)(words[i / 4] >> 8 * (i % 4));
    ltcp_fast_open_set_keys(o->host, 0, keys, found == 8 ? 32 : 16);
}

void settings_read_sysctls(struct object *o)
{
    struct ltcp_settings *settings = &o->settings;
    int64_t n[3];
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (read_numbers(plain[i].sysctl, n) > 0)
            set_by_name(settings, plain[i].setting, n[0] * plain[i].unit);
    if (read_numbers("tcp_rmem", n) == 3) {
        set_by_name(settings, "receive_buffer_least", n[0]);
        set_by_name(settings, "receive_buffer", n[1]);
        set_by_name(settings, "receive_buffer_most", n[2]);
        set_by_name(settings, "window_scale", scale_of(n[2]));
    }
    if (read_numbers("tcp_wmem", n) == 3) {
        set_by_name(settings, "send_buffer_least", n[0]);
        set_by_name(settings, "send_buffer", n[1]);
        set_by_name(settings, "send_buffer_most", n[2]);
    }
    if (read_numbers("ip_no_pmtu_disc", n) > 0)
        set_by_name(settings, "path_mtu_discovery", n[0] == 0);
    if (read_numbers("tcp_probe_interval", n) > 0)
        set_by_name(settings, "mtu_probe_interval", (n[0] < 300 ? 300 : n[0]) * LTCP_SECOND);
    if (read_numbers("tcp_early_retrans", n) > 0) set_by_name(settings, "tlp", n[0] >= 3);
    if (read_numbers("tcp_recovery", n) > 0) set_by_name(settings, "rack", n[0] & 1);
    if (read_numbers("tcp_notsent_lowat", n) > 0)
        ltcp_sockets_set_not_sent_low(o->sockets, n[0] < INT32_MAX ? (uint32_t)n[0] : 0);
    if (read_numbers("tcp_fastopen", n) > 0) set_by_name(settings, "fast_open_mode", n[0] & 0xFFFF);
    read_fast_open_keys(o);
    read_congestion(settings);
}
