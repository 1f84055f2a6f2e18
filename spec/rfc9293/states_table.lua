-- Every event in every state: what RFC 9293 section 3.10 says must come out, and the state after.
-- Written from the RFC's text; states_spec.lua plays it against a fresh connection for each cell.
--
-- A line is a cell, or a row of cells that the text treats alike: several words with commas, or `*` for
-- all that there are. Together the lines of a state name each cell exactly once (states_spec checks it).
--
-- seq   exact    RCV.NXT                            ack   new      SND.NXT: all that is in flight
--       ahead    in the window, not at its edge           old      SND.UNA, less where nothing is in flight
--       again    RCV.NXT-1: the SYN or FIN again          future   SND.NXT+1: not yet sent
--       old      long before RCV.NXT                      ancient  less than SND.UNA - MAX.SND.WND
--       beyond   behind the window's right edge           -        the segment has no ACK
--       any      (CLOSED, LISTEN, SYN-SENT: no number is right or wrong yet)
--
-- out   -    nothing                                A?   -, or A (the text lets it)
--       A    <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>    A1   the same, RCV.NXT being over the FIN
--       AS   <SEQ=SND.NXT><ACK=SEG.SEQ+1><CTL=ACK>  SA   <SEQ=ISS><ACK=SEG.SEQ+1><CTL=SYN,ACK>
--       R    <SEQ=SEG.ACK><CTL=RST>                 RA   <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>
--
-- The last column is the id of the rule, as in requirements.tsv: 3.10.7.4-6 is the sixth of those of
-- section 3.10.7.4. The checks of RFC 5961 are taken: a challenge ACK for a RST that is not exact, and for
-- any SYN; and section 5's range for the ACK (MAY-12).
local M = {}

M.order = {
  "CLOSED", "LISTEN", "SYN-SENT", "SYN-RECEIVED", "SYN-RECEIVED active", "ESTABLISHED", "FIN-WAIT-1",
  "FIN-WAIT-2", "CLOSE-WAIT", "CLOSING", "LAST-ACK", "TIME-WAIT",
}

M.flags = { "S", "SA", "A", "F", "FA", "R", "RA", "SF", "none" }

-- What the text says of all synchronized states together. TIME-WAIT: where nobody listens on the port;
-- with a listener a new SYN may open (MAY-2, SHLD-4: closing_spec.lua).
local synchronized <const> = [[
  # flags      seq                     ack      out  after   rule
  R,RA         old,beyond,again        *        -    same    3.10.7.4-2
  R,RA         exact                   *        -    CLOSED  3.10.7.4-3
  R,RA         ahead                   *        A    same    3.10.7.4-4
  S,SA,SF      *                       *        A    same    3.10.7.4-6
  F,none       old,beyond,again        -        A    same    3.10.7.4-1
  F,none       exact,ahead             -        -    same    3.10.7.4-8
  A,FA         old,beyond,again        *        A    same    3.10.7.4-1
  A,FA         exact,ahead             future   A    same    3.10.7.4-11
  A,FA         exact,ahead             ancient  A    same    3.10.7.4-11
]]

M.segments = {
  ["CLOSED"] = [[
  # flags      seq                     ack      out  after   rule
  R            any                     -        -    CLOSED  3.10.7.1-1
  RA           any                     any      -    CLOSED  3.10.7.1-1
  S,F,SF,none  any                     -        RA   CLOSED  3.10.7.1-2
  SA,A,FA      any                     any      R    CLOSED  3.10.7.1-3
]],

  ["LISTEN"] = [[
  # flags      seq                     ack      out  after         rule
  R            any                     -        -    LISTEN        3.10.7.2-1
  RA           any                     any      -    LISTEN        3.10.7.2-1
  SA,A,FA      any                     any      R    LISTEN        3.10.7.2-2
  S            any                     -        SA   SYN-RECEIVED  3.10.7.2-3
  SF           any                     -        SA   SYN-RECEIVED  3.10.7.2-3
  F,none       any                     -        -    LISTEN        3.10.7.2-4
]],

  ["SYN-SENT"] = [[
  # flags      seq                     ack                 out  after         rule
  SA,A,FA      any                     old,future,ancient  R    same          3.10.7.3-1
  RA           any                     old,future,ancient  -    same          3.10.7.3-1
  RA           any                     new                 -    CLOSED        3.10.7.3-2
  R            any                     -                   -    same          3.10.7.3-2
  SA           any                     new                 AS   ESTABLISHED   3.10.7.3-3
  S            any                     -                   SA   SYN-RECEIVED  3.10.7.3-4
  SF           any                     -                   SA   SYN-RECEIVED  3.10.7.3-4
  A,FA         any                     new                 -    same          3.10.7.3-5
  F,none       any                     -                   -    same          3.10.7.3-5
]],

  -- After a passive OPEN. LISTEN: the half-open connection is gone, and the listener is as before.
  ["SYN-RECEIVED"] = [[
  # flags      seq                     ack                 out  after        rule
  R,RA         old,beyond,again        *                   -    same         3.10.7.4-2
  R,RA         exact                   *                   -    LISTEN       3.10.7.4-5
  R,RA         ahead                   *                   A    same         3.10.7.4-4
  S,F,none     old,beyond,again        -                   A    same         3.10.7.4-1
  SF           old,beyond              -                   A    same         3.10.7.4-1
  SA,A,FA      old,beyond,again        *                   A    same         3.10.7.4-1
  # SEG.LEN is 2: the FIN touches the window. The SYN is trimmed off, and without ACK the rest is dropped.
  SF           again                   -                   A?   same         3.10.7.4-8
  S,SA,SF      exact,ahead             *                   -    LISTEN       3.10.7.4-7
  F,none       exact,ahead             -                   -    same         3.10.7.4-8
  A            exact,ahead             new                 -    ESTABLISHED  3.10.7.4-9
  A,FA         exact,ahead             old,future,ancient  R    same         3.10.7.4-10
  FA           exact                   new                 A1   CLOSE-WAIT   3.10.7.4-20
  FA           ahead                   new                 A?   ESTABLISHED  3.10.7.4-9
]],

  -- After simultaneous SYNs.
  ["SYN-RECEIVED active"] = [[
  # flags      seq                     ack                 out  after        rule
  R,RA         old,beyond,again        *                   -    same         3.10.7.4-2
  R,RA         exact                   *                   -    CLOSED       3.10.7.4-3
  R,RA         ahead                   *                   A    same         3.10.7.4-4
  S,F,none     old,beyond,again        -                   A    same         3.10.7.4-1
  SF           old,beyond              -                   A    same         3.10.7.4-1
  SF           again                   -                   A?   same         3.10.7.4-8
  A,FA         old,beyond,again        *                   A    same         3.10.7.4-1
  SA           old,beyond              *                   A    same         3.10.7.4-1
  # Figure 7, line 6: the peer's SYN was processed before, what counts of its SYN,ACK is the ACK.
  SA           again                   new                 A?   ESTABLISHED  3.10.7.4-9
  SA           again                   old,future,ancient  R    same         3.10.7.4-10
  S,SA,SF      exact,ahead             *                   A    same         3.10.7.4-6
  F,none       exact,ahead             -                   -    same         3.10.7.4-8
  A            exact,ahead             new                 -    ESTABLISHED  3.10.7.4-9
  A,FA         exact,ahead             old,future,ancient  R    same         3.10.7.4-10
  FA           exact                   new                 A1   CLOSE-WAIT   3.10.7.4-20
  FA           ahead                   new                 A?   ESTABLISHED  3.10.7.4-9
]],

  ["ESTABLISHED"] = synchronized .. [[
  A            exact,ahead             new,old  -    same        3.10.7.4-11
  FA           exact                   new,old  A1   CLOSE-WAIT  3.10.7.4-20
  FA           ahead                   new,old  A?   same        3.10.7.4-20
]],

  -- Our FIN is in flight.
  ["FIN-WAIT-1"] = synchronized .. [[
  A            exact,ahead             new      -    FIN-WAIT-2  3.10.7.4-13
  A            exact,ahead             old      -    same        3.10.7.4-11
  FA           exact                   new      A1   TIME-WAIT   3.10.7.4-21
  FA           exact                   old      A1   CLOSING     3.10.7.4-21
  FA           ahead                   new      A?   FIN-WAIT-2  3.10.7.4-13
  FA           ahead                   old      A?   same        3.10.7.4-11
]],

  ["FIN-WAIT-2"] = synchronized .. [[
  A            exact,ahead             new,old  -    same        3.10.7.4-11
  FA           exact                   new,old  A1   TIME-WAIT   3.10.7.4-22
  FA           ahead                   new,old  A?   same        3.10.7.4-22
]],

  -- From here on the peer's FIN was received. Another one, behind it, cannot be meant: the text says to
  -- remain in the state; that RCV.NXT should go over it too is not taken literally.
  ["CLOSE-WAIT"] = synchronized .. [[
  A            exact,ahead             new,old  -    same        3.10.7.4-11
  FA           exact,ahead             new,old  A?   same        3.10.7.4-23
]],

  ["CLOSING"] = synchronized .. [[
  A            exact,ahead             new      -    TIME-WAIT   3.10.7.4-14
  A            exact,ahead             old      -    same        3.10.7.4-14
  FA           exact,ahead             new      A?   TIME-WAIT   3.10.7.4-14
  FA           exact,ahead             old      A?   same        3.10.7.4-23
]],

  ["LAST-ACK"] = synchronized .. [[
  A            exact,ahead             new      -    CLOSED      3.10.7.4-15
  A            exact,ahead             old      -    same        3.10.7.4-15
  FA           exact,ahead             new      -    CLOSED      3.10.7.4-15
  FA           exact,ahead             old      A?   same        3.10.7.4-23
]],

  ["TIME-WAIT"] = synchronized .. [[
  A            exact,ahead             new,old  -    same        3.10.7.4-16
  FA           exact,ahead             new,old  A?   same        3.10.7.4-16
]],
}

-- The host's own window is closed: a segment without length at RCV.NXT is acceptable, all others are not,
-- but "special allowance should be made to accept valid ACKs, URGs, and RSTs" at the edge.
local closed_window <const> = [[
  # flags      seq                     ack             out  after   rule
  R,RA         ahead,old,beyond,again  *               -    same    3.10.7.4-2
  R,RA         exact                   *               -    CLOSED  3.10.7.4-3
  S,SA,SF      *                       *               A    same    3.10.7.4-6
  none         exact                   -               -    same    3.10.7.4-8
  F            exact                   -               A    same    3.10.7.4-1
  F,none       ahead,old,beyond,again  -               A    same    3.10.7.4-1
  A,FA         ahead,old,beyond,again  *               A    same    3.10.7.4-1
  A,FA         exact                   future,ancient  A    same    3.10.7.4-11
]]

M.closed_window = {
  ["ESTABLISHED"] = closed_window .. [[
  A            exact                   new,old         -    same        3.10.7.4-11
  FA           exact                   new,old         A    same        3.10.7.4-1
]],
  ["FIN-WAIT-1"] = closed_window .. [[
  A            exact                   new             -    FIN-WAIT-2  3.10.7.4-13
  A            exact                   old             -    same        3.10.7.4-11
  FA           exact                   new             A    FIN-WAIT-2  3.10.7.4-13
  FA           exact                   old             A    same        3.10.7.4-1
]],
  ["FIN-WAIT-2"] = closed_window .. [[
  A            exact                   new,old         -    same        3.10.7.4-11
  FA           exact                   new,old         A    same        3.10.7.4-1
]],
}

-- Five octets of text in the segment; the ACK field is `old`, and `new` where the state needs it. Out:
--   D5   the text is taken, and acknowledged within half a second    A6   text and FIN are, at once
--   D2   two octets are new: taken and acknowledged
--   W5   taken once the handshake is over, whose answer is as without text
-- `take`: how many octets the user can read.
M.text = [[
  # state              flags  seq       ack  out  after         take  rule
  CLOSED               A      any       any  R    CLOSED        0     3.10.7.1-3
  CLOSED               none   any       -    RA   CLOSED        0     3.10.7.1-2
  CLOSED               S      any       -    RA   CLOSED        0     3.10.7.1-2
  LISTEN               A      any       any  R    LISTEN        0     3.10.7.2-2
  LISTEN               none   any       -    -    LISTEN        0     3.10.7.2-4
  LISTEN               S      any       -    SA   SYN-RECEIVED  W5    3.10.7.2-3
  SYN-SENT             A      any       new  -    same          0     3.10.7.3-5
  SYN-SENT             SA     any       new  AS6  ESTABLISHED   5     3.10.7.3-3
  SYN-SENT             S      any       -    SA   SYN-RECEIVED  W5    3.10.7.3-4
  SYN-RECEIVED         A      exact     new  D5   ESTABLISHED   5     3.10.7.4-9
  SYN-RECEIVED         A      exact     old  R    same          0     3.10.7.4-10
  SYN-RECEIVED         FA     exact     new  A6   CLOSE-WAIT    5     3.10.7.4-20
  SYN-RECEIVED active  A      exact     new  D5   ESTABLISHED   5     3.10.7.4-9
  ESTABLISHED          A      exact     old  D5   same          5     3.10.7.4-18
  ESTABLISHED          A      ahead     old  A    same          0     3.10.7.4-18
  ESTABLISHED          A      straddle  old  D2   same          2     3.10.7.4-18
  ESTABLISHED          A      old       old  A    same          0     3.10.7.4-1
  ESTABLISHED          A      beyond    old  A    same          0     3.10.7.4-1
  ESTABLISHED          A      exact  future  A    same          0     3.10.7.4-11
  ESTABLISHED          none   exact     -    -    same          0     3.10.7.4-8
  ESTABLISHED          S      exact     -    A    same          0     3.10.7.4-6
  ESTABLISHED          FA     exact     old  A6   CLOSE-WAIT    5     3.10.7.4-20
  ESTABLISHED          R      exact     -    -    CLOSED        0     3.10.7.4-3
  FIN-WAIT-1           A      exact     old  D5   same          5     3.10.7.4-18
  FIN-WAIT-1           A      exact     new  D5   FIN-WAIT-2    5     3.10.7.4-18
  FIN-WAIT-1           A      ahead     new  A    FIN-WAIT-2    0     3.10.7.4-18
  FIN-WAIT-1           FA     exact     old  A6   CLOSING       5     3.10.7.4-21
  FIN-WAIT-1           FA     exact     new  A6   TIME-WAIT     5     3.10.7.4-21
  FIN-WAIT-2           A      exact     new  D5   same          5     3.10.7.4-18
  FIN-WAIT-2           A      straddle  new  D2   same          2     3.10.7.4-18
  FIN-WAIT-2           A      ahead     new  A    same          0     3.10.7.4-18
  FIN-WAIT-2           FA     exact     new  A6   TIME-WAIT     5     3.10.7.4-22
  CLOSE-WAIT           A      exact     old  A?   same          0     3.10.7.4-19
  CLOSING              A      exact     old  A?   same          0     3.10.7.4-19
  CLOSING              A      exact     new  A?   TIME-WAIT     0     3.10.7.4-14
  LAST-ACK             A      exact     old  A?   same          0     3.10.7.4-19
  LAST-ACK             A      exact     new  -    CLOSED        0     3.10.7.4-15
  TIME-WAIT            A      exact     new  A?   same          0     3.10.7.4-19
]]

-- URG with a pointer of 3 and no text: how many urgent octets remain, and whether the user hears of it.
M.urgent = [[
  # state              flags  seq    ack  out  after        remain  rule
  CLOSED               UA     any    any  R    CLOSED       -       3.10.7.1-3
  LISTEN               UA     any    any  R    LISTEN       -       3.10.7.2-2
  SYN-SENT             UA     any    new  -    same         0       3.10.7.3-5
  SYN-SENT             SUA    any    new  AS   ESTABLISHED  2       3.10.7.4-17
  SYN-RECEIVED active  UA     exact  new  -    ESTABLISHED  3       3.10.7.4-17
  ESTABLISHED          UA     exact  old  -    same         3       3.10.7.4-17
  ESTABLISHED          UA     old    old  A    same         0       3.10.7.4-1
  ESTABLISHED          U      exact  -    -    same         0       3.10.7.4-8
  FIN-WAIT-1           UA     exact  old  -    same         3       3.10.7.4-17
  FIN-WAIT-2           UA     exact  new  -    same         3       3.10.7.4-17
  CLOSE-WAIT           UA     exact  old  -    same         0       3.10.7.4-19
  CLOSING              UA     exact  old  -    same         0       3.10.7.4-19
  LAST-ACK             UA     exact  old  -    same         0       3.10.7.4-19
  TIME-WAIT            UA     exact  new  -    same         0       3.10.7.4-19
]]

-- User calls, with nothing in flight in ESTABLISHED and CLOSE-WAIT. CLOSE is `shutdown`: it says that there
-- is no more to send. OPEN: again, of the same pair of sockets. SEND: five octets. Out:
--   F   <SEQ=SND.NXT><ACK=RCV.NXT><CTL=FIN,ACK>    D   five octets with <SEQ=SND.NXT><ACK=RCV.NXT>
--   R   <SEQ=SND.NXT><CTL=RST>                     S   <SEQ=ISS><CTL=SYN>
-- `result`: ok, end (of the stream), or the error's code; `error`: the one that the connection died of.
-- ABORT of what is CLOSED may be called again: an error would tell nobody anything. TIME-WAIT: with
-- `time_wait_reuse` off; timestamps let an active OPEN take its place otherwise (RFC 6191).
M.calls = [[
  # state              call     out  after       result      rule
  CLOSED               OPEN     S    SYN-SENT    ok          3.10.1-1
  CLOSED               SEND     -    same        error       3.10.2-1
  CLOSED               RECEIVE  -    same        error       3.10.3-1
  CLOSED               CLOSE    -    same        error       3.10.4-1
  CLOSED               ABORT    -    same        ok          3.10.5-1
  LISTEN               OPEN     -    same        EADDRINUSE  3.10.1-2
  LISTEN               CLOSE    -    CLOSED      ok          3.10.4-2
  LISTEN               ABORT    -    CLOSED      ok          3.10.5-2
  SYN-SENT             OPEN     -    same        EISCONN     3.10.1-3
  SYN-SENT             SEND     -    same        ok          3.10.2-2
  SYN-SENT             RECEIVE  -    same        EAGAIN      3.10.3-2
  SYN-SENT             CLOSE    -    CLOSED      ok          3.10.4-3
  SYN-SENT             ABORT    -    CLOSED      ok          3.10.5-3
  SYN-RECEIVED         ABORT    R    CLOSED      ok          3.10.5-4
  SYN-RECEIVED active  OPEN     -    same        EISCONN     3.10.1-3
  SYN-RECEIVED active  SEND     -    same        ok          3.10.2-2
  SYN-RECEIVED active  RECEIVE  -    same        EAGAIN      3.10.3-2
  SYN-RECEIVED active  CLOSE    F    FIN-WAIT-1  ok          3.10.4-4
  SYN-RECEIVED active  ABORT    R    CLOSED      ok          3.10.5-4
  ESTABLISHED          OPEN     -    same        EISCONN     3.10.1-3
  ESTABLISHED          SEND     D    same        ok          3.10.2-3
  ESTABLISHED          RECEIVE  -    same        EAGAIN      3.10.3-3
  ESTABLISHED          CLOSE    F    FIN-WAIT-1  ok          3.10.4-5
  ESTABLISHED          ABORT    R    CLOSED      ok          3.10.5-4
  FIN-WAIT-1           OPEN     -    same        EISCONN     3.10.1-3
  FIN-WAIT-1           SEND     -    same        EPIPE       3.10.2-4
  FIN-WAIT-1           RECEIVE  -    same        EAGAIN      3.10.3-3
  FIN-WAIT-1           CLOSE    -    same        ok          3.10.4-6
  FIN-WAIT-1           ABORT    R    CLOSED      ok          3.10.5-4
  FIN-WAIT-2           OPEN     -    same        EISCONN     3.10.1-3
  FIN-WAIT-2           SEND     -    same        EPIPE       3.10.2-4
  FIN-WAIT-2           RECEIVE  -    same        EAGAIN      3.10.3-3
  FIN-WAIT-2           CLOSE    -    same        ok          3.10.4-6
  FIN-WAIT-2           ABORT    R    CLOSED      ok          3.10.5-4
  CLOSE-WAIT           OPEN     -    same        EISCONN     3.10.1-3
  CLOSE-WAIT           SEND     D    same        ok          3.10.2-3
  CLOSE-WAIT           RECEIVE  -    same        end         3.10.3-4
  CLOSE-WAIT           CLOSE    F    LAST-ACK    ok          3.10.4-7
  CLOSE-WAIT           ABORT    R    CLOSED      ok          3.10.5-4
  CLOSING              OPEN     -    same        EISCONN     3.10.1-3
  CLOSING              SEND     -    same        EPIPE       3.10.2-4
  CLOSING              RECEIVE  -    same        end         3.10.3-5
  CLOSING              CLOSE    -    same        ok          3.10.4-8
  CLOSING              ABORT    -    CLOSED      ok          3.10.5-5
  LAST-ACK             OPEN     -    same        EISCONN     3.10.1-3
  LAST-ACK             SEND     -    same        EPIPE       3.10.2-4
  LAST-ACK             RECEIVE  -    same        end         3.10.3-5
  LAST-ACK             CLOSE    -    same        ok          3.10.4-8
  LAST-ACK             ABORT    -    CLOSED      ok          3.10.5-5
  TIME-WAIT            OPEN     -    same        EISCONN     3.10.1-3
  TIME-WAIT            SEND     -    same        EPIPE       3.10.2-4
  TIME-WAIT            RECEIVE  -    same        end         3.10.3-5
  TIME-WAIT            CLOSE    -    same        ok          3.10.4-8
  TIME-WAIT            ABORT    -    CLOSED      ok          3.10.5-5
]]

-- Timeouts, with a user timeout of 5 s. `again`: what is in flight, from SND.UNA. FIN-WAIT-2 has nothing in
-- flight that could time out.
M.timeouts = [[
  # state              timeout         out    after   result     rule
  SYN-SENT             retransmission  again  same    -          3.10.8-2
  SYN-SENT             user            -      CLOSED  ETIMEDOUT  3.10.8-1
  SYN-RECEIVED         retransmission  again  same    -          3.10.8-2
  SYN-RECEIVED         user            -      LISTEN  -          3.10.8-1
  SYN-RECEIVED active  retransmission  again  same    -          3.10.8-2
  SYN-RECEIVED active  user            -      CLOSED  ETIMEDOUT  3.10.8-1
  ESTABLISHED          retransmission  again  same    -          3.10.8-2
  ESTABLISHED          user            -      CLOSED  ETIMEDOUT  3.10.8-1
  FIN-WAIT-1           retransmission  again  same    -          3.10.8-2
  FIN-WAIT-1           user            -      CLOSED  ETIMEDOUT  3.10.8-1
  FIN-WAIT-2           user            -      same    -          3.10.8-1
  CLOSE-WAIT           retransmission  again  same    -          3.10.8-2
  CLOSE-WAIT           user            -      CLOSED  ETIMEDOUT  3.10.8-1
  CLOSING              retransmission  again  same    -          3.10.8-2
  CLOSING              user            -      CLOSED  ETIMEDOUT  3.10.8-1
  LAST-ACK             retransmission  again  same    -          3.10.8-2
  LAST-ACK             user            -      CLOSED  ETIMEDOUT  3.10.8-1
  TIME-WAIT            user            -      same    -          3.10.8-1
  TIME-WAIT            time-wait       -      CLOSED  -          3.10.8-3
]]

return M
