/* core/test/wire_samples.h
 *
 * Packets byte by byte, with right checksums, that the tests of wire/ share. */
#ifndef LUNATCP_TEST_WIRE_SAMPLES_H
#define LUNATCP_TEST_WIRE_SAMPLES_H

/* 192.0.2.1:49152 > 198.51.100.2:80, SYN, MSS 1460, SACK permitted, timestamps, window scale 7 */
#define SAMPLE_SYN                                                                                 \
    "4500003c 1c464000 4006323f c0000201 c6336402 c0000050 12345678 00000000 a002faf0 "            \
    "37d10000 020405b4 0402080a 0000000a 00000000 01030307"

/* DSCP 42, ECT(0), PSH ACK URG AE, reserved bits 101, urgent pointer 3, timestamps, "hello" */
#define SAMPLE_DATA                                                                                \
    "45aa0039 00004000 3f064ede c0000201 c6336402 c0000050 fffffffe 9abcdef0 8b3801f6 "            \
    "fefa0003 0101080a 00000064 00000032 68656c6c 6f"

/* [2001:db8::1]:443 > [2001:db8::2]:50000, traffic class 0xb9, flow label 0x12345, ACK, "odd" */
#define SAMPLE_V6                                                                                  \
    "6b912345 001706ff 20010db8 00000000 00000000 00000001 20010db8 00000000 00000000 "            \
    "00000002 01bbc350 00000001 00000002 5010ffff bbe90000 6f6464"

/* The same ends, FIN ACK, behind hop-by-hop options, destination options, a finished routing header
 */
#define SAMPLE_V6_EXTENSIONS                                                                       \
    "60000000 003c0040 20010db8 00000000 00000000 00000001 20010db8 00000000 00000000 "            \
    "00000002 3c000502 00000100 2b000104 00000000 06020000 00000000 20010db8 00000000 "            \
    "00000000 00000009 01bbc350 00000001 00000002 5011ffff 8f500000"

/* IPv4 with a no-operation and a loose source route */
#define SAMPLE_V4_OPTIONS                                                                          \
    "47000030 00004000 400619d4 c0000201 c6336402 01830704 c6336402 00010002 00000003 "            \
    "00000004 50100005 c38e0000"

/* SYN ACK with 40 bytes of options and seven of data */
#define SAMPLE_FULL                                                                                \
    "45000057 00004000 40064e6a c0000201 c6336402 c0000050 00000064 000000c8 f01203e8 "            \
    "b9bd0000 020405b4 03030704 02080a00 00000a00 0000141c 04800522 060a0b0c 0dac0500 "            \
    "0102fd04 abcd0000 61626364 656667"

/* 203.0.113.9 says to 192.0.2.1: fragmentation needed, MTU 1400, about SAMPLE_DATA */
#define SAMPLE_ICMP                                                                                \
    "45000038 00000000 40017cba cb007109 c0000201 03043734 00000578 45aa0039 00004000 "            \
    "3f064ede c0000201 c6336402 c0000050 fffffffe"

/* 2001:db8::9 says to 2001:db8::1: packet too big, MTU 1280, about SAMPLE_V6 */
#define SAMPLE_ICMPV6                                                                              \
    "60000000 00383a40 20010db8 00000000 00000000 00000009 20010db8 00000000 00000000 "            \
    "00000001 0200e6a2 00000500 6b912345 001706ff 20010db8 00000000 00000000 00000001 "            \
    "20010db8 00000000 00000000 00000002 01bbc350 00000001"

/* An echo request, identifier 0x1234, number 7, "ping!" */
#define SAMPLE_ECHO "45000021 00000000 40018ea5 c0000201 c6336402 0800e5f3 12340007 70696e67 21"

#endif
