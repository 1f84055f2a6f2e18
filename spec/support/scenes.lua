-- What is explored: each scene gives a scenario and a check for `tcp.explore`, and says by which network
-- options it goes. Numbers that come from a clock are fixed, so that states which differ in nothing
-- else are the same.
local M = {}

local function hosts(net, link, client, server)
  local a, b = net:host("client", client), net:host("server", server)
  net:link(a, b, link or { delay = 0.01 })
  return a, b
end

local PATIENT <const> = 3600 -- however many packets are lost, nobody gives up
local FIXED <const> = { isn = 1000, timestamps = false, r2_time = PATIENT, syn_r2_time = PATIENT }
local STAMPED <const> = { isn = 1000, timestamp_offset = 5000, r2_time = PATIENT, syn_r2_time = PATIENT }

local function read_all(conn)
  local parts = {}
  while true do
    local bytes, message, code = conn:read()
    if not bytes then return table.concat(parts), code, message end
    parts[#parts + 1] = bytes
  end
end

local function states(result, first, second)
  for i, expected in ipairs { first, second } do
    local conn = result[i]
    if not conn then return ("end %d has no connection"):format(i) end
    if conn:state() ~= expected then return ("end %d is %s"):format(i, conn:state()) end
    if conn:error() then return ("end %d: %s"):format(i, conn:error()) end
  end
end

local function whole(result, first, second)
  for i, expected in ipairs { first, second } do
    if result.read[i] ~= expected then return ("end %d read %q"):format(i, tostring(result.read[i])) end
  end
  return states(result, "CLOSED", "CLOSED")
end

-- Whatever befalls its packets, a handshake ends with both ends ESTABLISHED.
M.handshake = {
  settings = FIXED,
  scenario = function(net)
    local a, b = hosts(net)
    local listener = b:listen(80)
    local result = {}
    net:spawn(function() result[1] = assert(a:connect(b, 80)) end)
    net:spawn(function() result[2] = assert(listener:accept()) end)
    return result
  end,
  check = function(_, result) return states(result, "ESTABLISHED", "ESTABLISHED") end,
}

M["simultaneous open"] = {
  settings = FIXED,
  scenario = function(net)
    local a, b = hosts(net)
    local result = {}
    net:spawn(function() result[1] = assert(a:connect(b, 2000, { local_port = 1000 })) end)
    net:spawn(function() result[2] = assert(b:connect(a, 1000, { local_port = 2000 })) end)
    return result
  end,
  check = function(_, result) return states(result, "ESTABLISHED", "ESTABLISHED") end,
}

local function exchange(settings, client, server)
  return {
    settings = settings,
    scenario = function(net)
      local a, b = hosts(net)
      local listener = b:listen(80)
      local result = { read = {} }
      net:spawn(function()
        result[1] = assert(a:connect(b, 80, { local_port = 1000 }))
        result.read[1] = client(result[1])
      end)
      net:spawn(function()
        result[2] = assert(listener:accept())
        result.read[2] = server(result[2])
      end)
      return result
    end,
  }
end

local function ask(conn)
  conn:write "question"
  conn:shutdown()
  local answer = read_all(conn)
  conn:close()
  return answer
end

local function answer(conn)
  local question = read_all(conn)
  conn:write "answer"
  conn:close()
  return question
end

M["request and response"] = exchange(FIXED, ask, answer)
M["request and response"].check = function(_, result) return whole(result, "answer", "question") end

M["request and response, with timestamps"] = exchange(STAMPED, ask, answer)
M["request and response, with timestamps"].check = M["request and response"].check

-- ---- all closes ---------------------------------------------------------------------------------

local function close(conn)
  conn:shutdown()
  local bytes = read_all(conn)
  conn:close()
  return bytes
end

M["close by the client"] = exchange(FIXED, close, close)
M["close by the client"].check = function(_, result) return whole(result, "", "") end

M["close by the server"] = exchange(FIXED, function(conn)
  local bytes = read_all(conn)
  conn:close()
  return bytes
end, close)
M["close by the server"].check = function(_, result) return whole(result, "", "") end

M["both close at once"] = {
  settings = FIXED,
  scenario = function(net)
    local a, b = hosts(net)
    local listener = b:listen(80)
    local result = { read = {} }
    local function at_the_bell(i, conn)
      result[i] = conn
      net:sleep(0.5 - net:now() % 0.5)
      result.read[i] = close(conn)
    end
    net:spawn(function() at_the_bell(1, assert(a:connect(b, 80))) end)
    net:spawn(function() at_the_bell(2, assert(listener:accept())) end)
    return result
  end,
  check = function(_, result) return whole(result, "", "") end,
}

-- The client aborts; the server learns of it by the RST or, where that is lost, by the answer to what it
-- sends itself.
M.abort = {
  settings = FIXED,
  scenario = function(net)
    local a, b = hosts(net)
    local listener = b:listen(80)
    local result = {}
    net:spawn(function()
      result[1] = assert(a:connect(b, 80))
      result[1]:write "half a wo"
      result[1]:abort()
    end)
    net:spawn(function()
      local conn = listener:accept { timeout = 60 }
      if not conn then return end -- the RST came before the handshake was over
      result[2] = conn
      net:sleep(1)
      conn:write "anybody there?"
      result.bytes, result.code = read_all(conn)
      conn:close()
    end)
    return result
  end,
  check = function(_, result)
    if result[1]:state() ~= "CLOSED" then return "the client is " .. result[1]:state() end
    if not result[2] then return end
    if result[2]:state() ~= "CLOSED" then return "the server is " .. result[2]:state() end
    if result.code ~= "ECONNRESET" then return "the server was told " .. tostring(result.code) end
  end,
}

-- ---- TIME-WAIT ----------------------------------------------------------------------------------

-- The server closes first; the client comes back from the same port while it is in TIME-WAIT, and what is
-- late of the first connection meets the second.
local function again(settings)
  return {
    settings = settings,
    scenario = function(net)
      local a, b = hosts(net)
      local listener = b:listen(80)
      local result = { read = {} }
      net:spawn(function()
        for i = 1, 2 do
          local conn = assert(a:connect(b, 80, { local_port = 1000 }))
          conn:write(i == 1 and "old" or "new")
          read_all(conn)
          conn:close()
          conn:wait_state "CLOSED"
          result[1] = conn
        end
      end)
      net:spawn(function()
        for i = 1, 2 do
          local conn = assert(listener:accept())
          result[2] = conn
          result.read[i] = conn:read()
          conn:shutdown()
          local rest, code = read_all(conn)
          if rest ~= "" or code then
            result.read[i] = ("%s, then %q %s"):format(result.read[i], rest, code)
          end
          conn:close()
        end
      end)
      return result
    end,
    check = function(_, result) return whole(result, "old", "new") end,
  }
end

M["TIME-WAIT"] = again { timestamps = false, msl = 2, r2_time = PATIENT, syn_r2_time = PATIENT }
M["TIME-WAIT, with timestamps"] = again { msl = 2, r2_time = PATIENT, syn_r2_time = PATIENT }

-- ---- windows and timers -------------------------------------------------------------------------

M["zero window"] = {
  settings = {
    isn = 1000, timestamps = false, receive_buffer = 60, mss = 40, window_scaling = false, r2_time = PATIENT,
    syn_r2_time = PATIENT,
  },
  scenario = function(net)
    local a, b = hosts(net)
    local listener = b:listen(80)
    local result = { read = {} }
    net:spawn(function()
      local conn = assert(a:connect(b, 80))
      result[1] = conn
      conn:write(("w"):rep(150))
      result.read[1] = close(conn)
    end)
    net:spawn(function()
      local conn = assert(listener:accept())
      result[2] = conn
      net:sleep(2)
      result.read[2] = read_all(conn)
      conn:close()
    end)
    return result
  end,
  check = function(_, result) return whole(result, "", ("w"):rep(150)) end,
}

-- A link that may be dead: a connection is given up in its time, and keep-alive finds the other end.
M["giving up"] = {
  settings = {
    isn = 1000, timestamps = false, r2_count = 3, r2_time = 0, syn_r2_count = 3, synack_r2_count = 3,
    syn_r2_time = 0, keepalive = true, keepalive_idle = 30, keepalive_interval = 5, keepalive_count = 2,
  },
  scenario = function(net)
    local a, b = hosts(net)
    local listener = b:listen(80)
    local result = {}
    net:spawn(function()
      local conn, _, code = a:connect(b, 80)
      result.codes = { code }
      if not conn then return end
      result[1] = conn
      conn:write "question"
      conn:shutdown()
      result.bytes, result.codes[1] = read_all(conn)
      conn:close()
    end)
    net:spawn(function()
      local conn = listener:accept { timeout = 60 }
      if not conn then return end
      result[2] = conn
      local _, code = read_all(conn)
      if not code then conn:write "answer" end
      conn:close()
    end)
    return result
  end,
  check = function(_, result)
    for i = 1, 2 do
      if result[i] and result[i]:state() ~= "CLOSED" then
        return ("end %d is %s"):format(i, result[i]:state())
      end
    end
    local code = result.codes[1]
    if code and code ~= "ETIMEDOUT" and code ~= "ECONNRESET" then return "the client was told " .. code end
    if not code and result.bytes ~= "answer" then return ("the client read %q"):format(result.bytes) end
  end,
}

return M
