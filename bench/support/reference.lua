--- Figures of other stacks over the same paths, to stand beside ours.
-- @module reference

local M = {}

-- One bulk flow: 100 Mbit/s, 10 ms each way, an MTU of 1,500, timestamps and SACK, drop-tail of 250,000
-- octets, independent loss behind it on the way of the data; 20 s from a cold start; Mbit/s of application
-- data at the receiver: least, median, greatest of five seeds, or the median alone. Measured for this
-- project: Linux 6.18 between two network namespaces over an emulated link on the wall clock (reno, cubic,
-- and bbr, which is version 1 there), ns-3 in virtual time. Their own delayed ACKs; ample buffers.
M.LOSSES = { 0, 0.001, 0.01, 0.05 }

M.linux = {
  newreno = { { 95.77, 95.79, 95.81 }, { 20.8, 23.0, 24.1 }, { 6.21, 6.41, 7.19 }, { 2.28, 2.33, 2.57 } },
  cubic = { { 96.11, 96.12, 96.12 }, { 21.2, 22.7, 24.5 }, { 5.76, 6.11, 6.79 }, { 1.76, 2.00, 2.09 } },
  bbr1 = { { 94.98, 95.02, 95.03 }, { 94.3, 94.8, 94.9 }, { 92.7, 93.4, 93.5 }, { 87.0, 87.1, 87.1 } },
}

M.ns3 = {
  newreno = { 95.94, 26.8, 8.34, 3.58 }, -- TcpLinuxReno; TcpNewReno has 95.74, 16.7, 3.89, 1.41
  cubic = { 95.94, 26.6, 7.11, 2.46 },
  bbr1 = { 93.48, 95.8, 94.6, 89.7 },
}

-- Octets a second that smoltcp's authors report for a receive window of 32,768: 10 MiB over a round trip of
-- 100 ms, independent loss both ways, MSS 1,460, no congestion control, no limit of rate.
M.SMOLTCP_WINDOW = 32768
M.SMOLTCP_LOSSES = { 0, 0.001, 0.01, 0.02, 0.05, 0.10, 0.20, 0.30 }
M.smoltcp = { 322945, 314780, 219671, 166588, 76626, 37775, 6079, 1156 }

return M
