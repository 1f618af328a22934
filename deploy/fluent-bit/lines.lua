-- Reads what Ballerina programs (BI) and the Micro Integrator (MI) write, and makes of each entry one record:
-- `message`, `level`, `traceId`, `spanId`, `icp.runtimeId`, `module` or `class`, every other key as it is named, and the entry's own time.
-- Nothing that cannot be read is lost: it becomes a record with the text as its message.
--
-- Settings, from the environment:
--   MI_UTC_OFFSET   the zone of MI's stamps that name none, such as +05:30 or Z; without it the zone of this process (TZ, else the machine's)

local M = {}

local LEVELS = { TRACE = true, DEBUG = true, INFO = true, WARN = true, ERROR = true, FATAL = true }
local NUMBERS = { "response_time_seconds", "duration_seconds" }

-- ------------------------------------------------------------------ time

-- Days since 1970-01-01 of a date of the Gregorian calendar.
local function days(year, month, day)
  if month <= 2 then
    year, month = year - 1, month + 12
  end
  local century = math.floor(year / 100)
  local leaps = math.floor(year / 4) - century + math.floor(century / 4)
  return 365 * year + leaps + math.floor((153 * (month - 3) + 2) / 5) + day - 719469
end

-- Seconds east of UTC of `Z`, `+02:00` or `+0200`; nil for anything else.
local function offset_of(zone)
  if zone == "Z" or zone == "z" then
    return 0
  end
  local sign, hours, minutes = zone:match("^([+-])(%d%d):?(%d%d)$")
  if not sign then
    return nil
  end
  local seconds = tonumber(hours) * 3600 + tonumber(minutes) * 60
  return sign == "-" and -seconds or seconds
end

-- Reads a stamp at the beginning of a text: {sec, nsec} and where it ends; nil where there is none.
-- zoneless: seconds east of UTC that count for a stamp without a zone; nil for the zone of this process
function M.time_at(text, zoneless)
  local year, month, day, hour, minute, second, at =
    text:match("^(%d%d%d%d)-(%d%d)-(%d%d)[T ](%d%d):(%d%d):(%d%d)()")
  if not year then
    return nil
  end
  local fraction, behind = text:match("^[.,](%d+)()", at)
  if fraction then
    at = behind
  end
  local nsec = fraction and tonumber((fraction .. "000000000"):sub(1, 9)) or 0
  local zone, rest = text:match("^([Zz])()", at)
  if not zone then
    zone, rest = text:match("^([+-]%d%d:?%d%d)()", at)
  end
  year, month, day = tonumber(year), tonumber(month), tonumber(day)
  hour, minute, second = tonumber(hour), tonumber(minute), tonumber(second)
  if month < 1 or month > 12 or day < 1 or day > 31 or hour > 23 or minute > 59 or second > 60 then
    return nil
  end
  local east = zone and offset_of(zone) or zoneless
  local sec
  if east then
    sec = days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - east
  else
    sec = os.time({ year = year, month = month, day = day, hour = hour, min = minute, sec = second })
  end
  return { sec = sec, nsec = nsec }, zone and rest or at
end

local function zoneless()
  local told = os.getenv("MI_UTC_OFFSET")
  return told and told ~= "" and offset_of(told) or nil
end

-- ------------------------------------------------------------------ JSON

local read_value

local function blank(text, at)
  return text:match("^%s*()", at)
end

local function utf8(code)
  if code < 0x80 then
    return string.char(code)
  elseif code < 0x800 then
    return string.char(0xC0 + math.floor(code / 64), 0x80 + code % 64)
  elseif code < 0x10000 then
    return string.char(0xE0 + math.floor(code / 4096), 0x80 + math.floor(code / 64) % 64, 0x80 + code % 64)
  end
  return string.char(
    0xF0 + math.floor(code / 262144),
    0x80 + math.floor(code / 4096) % 64,
    0x80 + math.floor(code / 64) % 64,
    0x80 + code % 64
  )
end

local ESCAPES = { n = "\n", t = "\t", r = "\r", b = "\b", f = "\f" }

-- Reads a string in double quotes; gives it and where it ends, or nil where it has no end.
local function read_string(text, at)
  local parts, from = {}, at + 1
  while true do
    local plain, stop = text:match('^([^"\\]*)()', from)
    parts[#parts + 1] = plain
    local sign = text:sub(stop, stop)
    if sign == '"' then
      return table.concat(parts), stop + 1
    elseif sign ~= "\\" then
      return nil
    end
    local letter = text:sub(stop + 1, stop + 1)
    if letter == "" then
      return nil
    end
    local code = letter == "u" and tonumber(text:match("^%x%x%x%x", stop + 2) or "", 16)
    if code then
      from = stop + 6
      local low = code >= 0xD800 and code < 0xDC00 and tonumber(text:match("^\\u(%x%x%x%x)", from) or "", 16)
      if low and low >= 0xDC00 and low < 0xE000 then
        code, from = 0x10000 + (code - 0xD800) * 1024 + (low - 0xDC00), from + 6
      elseif code >= 0xD800 and code < 0xE000 then
        code = 0xFFFD
      end
      parts[#parts + 1] = utf8(code)
    else
      parts[#parts + 1] = ESCAPES[letter] or letter
      from = stop + 2
    end
  end
end

local DEPTH_MAX = 50

local function read_members(text, at, depth, close)
  local found, count = {}, 0
  at = blank(text, at + 1)
  while text:sub(at, at) ~= close do
    local key = nil
    if close == "}" then
      if text:sub(at, at) ~= '"' then
        return nil
      end
      key, at = read_string(text, at)
      at = key and text:match("^%s*:%s*()", at)
      if not at then
        return nil
      end
    end
    local value, ends = read_value(text, at, depth + 1)
    if not ends then
      return nil
    end
    count = count + 1
    if key then
      found[key] = value
    elseif value ~= nil then
      found[#found + 1] = value
    end
    at = blank(text, ends)
    if text:sub(at, at) == "," then
      at = blank(text, at + 1)
    elseif text:sub(at, at) ~= close then
      return nil
    end
  end
  return found, at + 1
end

-- Reads a value; gives it (nil for null) and where it ends, or nothing at all where it is no JSON.
function read_value(text, at, depth)
  local sign = text:sub(at, at)
  if depth > DEPTH_MAX then
    return nil
  elseif sign == "{" then
    return read_members(text, at, depth, "}")
  elseif sign == "[" then
    return read_members(text, at, depth, "]")
  elseif sign == '"' then
    return read_string(text, at)
  end
  local word, ends = text:match("^([%w+.-]+)()", at)
  if word == "true" or word == "false" then
    return word == "true", ends
  elseif word == "null" then
    return nil, ends
  elseif word and tonumber(word) then
    return tonumber(word), ends
  end
  return nil
end

-- Reads JSON at a place of a text: the value and where it ends; nil where there is none.
function M.json(text, at)
  return read_value(text, blank(text, at or 1), 1)
end

-- ------------------------------------------------------------------ logfmt, as Ballerina writes it

-- Finds the end of `{…}` or `[…]`, whatever is quoted within; the end of the text where it is not closed.
local function end_of_braces(text, at)
  local depth, position, length = 0, at, #text
  while position <= length do
    local sign = text:sub(position, position)
    if sign == '"' then
      local _, ends = read_string(text, position)
      position = (ends or length + 1) - 1
    elseif sign == "{" or sign == "[" then
      depth = depth + 1
    elseif sign == "}" or sign == "]" then
      depth = depth - 1
      if depth == 0 then
        return position + 1
      end
    end
    position = position + 1
  end
  return length + 1
end

local function put(record, key, value)
  local name, number = key, 1
  while record[name] ~= nil do -- the first one is the line's own; a later one is kept beside it
    number = number + 1
    name = key .. "_" .. number
  end
  record[name] = value
end

-- Reads `key=value key="va lue" error={…}`; gives nil where the text is no such line.
function M.logfmt(text)
  local record, at, found, stray = {}, blank(text, 1), false, {}
  while at <= #text do
    local key, from = text:match("^([%w_.$/@:-]+)=()", at)
    if not key then
      local word, ends = text:match("^(%S+)()", at)
      if not found then
        return nil
      end
      stray[#stray + 1] = word
      at = blank(text, ends)
    else
      local sign, value, ends = text:sub(from, from), nil, nil
      if sign == '"' then
        value, ends = read_string(text, from)
        if not value then -- it was cut off
          value, ends = text:sub(from + 1), #text + 1
        end
      elseif sign == "{" or sign == "[" then
        ends = end_of_braces(text, from)
        value = text:sub(from, ends - 1)
      else
        value, ends = text:match("^(%S*)()", from)
      end
      put(record, key, value)
      found, at = true, blank(text, ends)
    end
  end
  if #stray > 0 then
    put(record, "unread", table.concat(stray, " "))
  end
  return found and record or nil
end

-- ------------------------------------------------------------------ what all records share

local function lines_of(text)
  local found = {}
  for line in (text .. "\n"):gmatch("(.-)\r?\n") do
    found[#found + 1] = line
  end
  return found
end

-- Parts a stack trace from the message before it, in OpenTelemetry's names.
local function part_trace(record)
  local all = lines_of(record.message)
  local first = nil
  for number, line in ipairs(all) do
    if line:match("^%s+at%s") or line:match("^Caused by: ") then
      first = number
      break
    end
  end
  if not first then
    return
  end
  local head = first
  if first > 1 and (first > 2 or all[1]:match("^[%w_.$]+[EerR][rx][%w]*:?")) and all[first - 1]:match("^[%w_.$]+%.[%w_.$]+") then
    head = first - 1 -- the line that names the exception
  end
  local kind, told = (all[head] or ""):match("^([%w_.$]+):?%s*(.*)$")
  if head < first and kind then
    record["exception.type"], record["exception.message"] = kind, told
  end
  record["exception.stacktrace"] = table.concat(all, "\n", head)
  if head > 1 then
    record.message = table.concat(all, "\n", 1, head - 1)
  else
    record.message = all[1]
  end
end

local function move_odd_ids(record)
  for key, digits in pairs({ traceId = 32, spanId = 16 }) do
    local told = record[key]
    if told ~= nil and not (type(told) == "string" and #told == digits and told:match("^%x+$")) then
      record[key] = nil
      if told ~= "" then
        record[key .. ".told"] = tostring(told)
      end
    end
  end
end

local function finished(record, before, when)
  for _, key in ipairs(NUMBERS) do
    record[key] = tonumber(record[key]) or record[key]
  end
  record.message = record.message == nil and "" or record.message
  if type(record.message) ~= "string" then
    record.message = tostring(record.message)
  end
  local level = type(record.level) == "string" and record.level:upper() or nil
  record.level = level or "INFO"
  record["log.file.path"] = before["log.file.path"]
  move_odd_ids(record)
  return record, when
end

local function plain(text)
  local level = text:lower():match("^error[: ]") and "ERROR" or text:lower():match("^warning[: ]") and "WARN" or "INFO"
  return { message = text, level = level }
end

-- ------------------------------------------------------------------ the four kinds of files

-- A BI entry: logfmt or JSON; application lines, metrics lines and workflow samples alike.
function M.bi(before)
  local text = before.log or before.message or ""
  local first, further = text:match("^([^\n]*)\n?(.*)$")
  local record = text:match("^%s*{") and M.json(text) or M.logfmt(first)
  if type(record) == "table" and further ~= "" and record["exception.stacktrace"] == nil then
    record["exception.stacktrace"] = further
  end
  if type(record) ~= "table" then
    record = plain(text)
    part_trace(record)
  end
  local when = type(record.time) == "string" and M.time_at(record.time, 0) or nil
  if type(record.error) == "string" and record.error:match("^{") then
    local told = M.json(record.error)
    if type(told) == "table" and type(told.message) == "string" then
      record["exception.message"] = told.message
    end
  elseif type(record.error) == "table" and type(record.error.message) == "string" then
    record["exception.message"] = record.error.message
  end
  if when then
    record.time = nil
  end
  record.product = record.product or "Ballerina"
  return finished(record, before, when)
end

-- Takes the runtime's id, which MI writes at the end of a line, out of a text.
local function take_runtime_id(text)
  local found = nil
  local rest = text:gsub("%s*%[icp%.runtimeId=([^%]\n]+)%](%s*\n?)", function(id, behind)
    found = id
    return behind:match("\n") and "\n" or ""
  end)
  return rest, found
end

-- An MI entry of the carbon log, in both layouts, with or without `TID:`.
function M.mi(before)
  local text, id = take_runtime_id(before.log or before.message or "")
  local record, when = nil, nil
  local head, body = text:match("^([^\n]-)%[?%d%d%d%d%-%d%d%-%d%d[T ]"), nil
  if head and (head == "" or head:match("^TID: ") or head:match("^%[[^%]]*%] *$")) then
    local at = #head + 1
    if text:sub(at, at) == "[" then
      at = at + 1
    end
    local stop
    when, stop = M.time_at(text:sub(at), zoneless())
    body = when and text:sub(at + stop - 1):gsub("^%]", "")
  end
  if body then
    local level, class, container, message = body:match("^%s*(%u+)%s+{([^}\n]*)}([^\n]-)%s+%-%s?(.*)$")
    if level and LEVELS[level] then
      record = { level = level, class = class, message = message }
      container = container:match("^%s*(.-)%s*$")
      if container ~= "" then
        record.artifact_container = container
      end
    else
      record = { message = body:match("^%s*(.*)$"), level = body:match("^%s*(%u+)%s") }
      record.level = LEVELS[record.level or ""] and record.level or "INFO"
    end
    local tenant = head:match("TID: %[([^%]]*)%]")
    if tenant then
      record.tenant = tenant
    end
  end
  record = record or plain(text)
  record["icp.runtimeId"] = id
  record.product = "Micro Integrator"
  part_trace(record)
  return finished(record, before, when)
end

-- An MI analytics entry: its JSON as attributes.
function M.mi_analytics(before)
  local text = before.log or before.message or ""
  local at = text:match("SYNAPSE_ANALYTICS_DATA[:%s]*(){")
  local data, stop = nil, nil
  if at then
    data, stop = M.json(text, at)
  end
  if type(data) ~= "table" then
    return M.mi(before)
  end
  local _, id = take_runtime_id(text:sub(stop))
  data.message, data.level = "SYNAPSE_ANALYTICS_DATA", "INFO"
  data["icp.runtimeId"] = id
  data.product = "Micro Integrator"
  data.log_type = "metrics"
  local when = nil
  if type(data.timestamp) == "string" then
    when = M.time_at(data.timestamp, 0)
  elseif type(data.timestamp) == "number" then
    when = { sec = math.floor(data.timestamp / 1000), nsec = (data.timestamp % 1000) * 1000000 }
  end
  return finished(data, before, when)
end

-- ------------------------------------------------------------------ for OpenSearch, in the fields that ICP's indices have

local STARTED = string.format("%x-%s", os.time(), tostring({}):match("0x(%x+)") or "0")
local count = 0

-- An id that no other record has: the same through every retry, since it is given before the first attempt.
local function unique_id(tag)
  count = count + 1
  return table.concat({ os.getenv("HOSTNAME") or "host", STARTED, tag, string.format("%d", count) }, ":")
end

local function segment(path, number)
  local parts = {}
  for part in (path or ""):gmatch("[^/]+") do
    parts[#parts + 1] = part
  end
  return number < #parts and parts[number] or nil
end

function M.opensearch(tag, when, record)
  local is_mi = record.product == "Micro Integrator"
  local is_workflow = record.logger == "workflow-metrics"
  local is_metric = record.logger == "metrics" or record.log_type == "metrics"
  record.doc_id = unique_id(tag)
  record.time = os.date("!%Y-%m-%dT%H:%M:%S", when.sec) .. string.format(".%03dZ", math.floor(when.nsec / 1000000))
  record.service_type = is_mi and "MI" or "ballerina"
  if is_mi then
    record.index_prefix = is_metric and "mi-metrics-logs" or "mi-application-logs"
    return record
  end
  record.app_name = segment(record["log.file.path"], 4) or "unknown"
  record.deployment = record.app_name
  local module = record["src.module"] or record.module
  if module then
    record.app_module = module:match("^[^/]*")
    record.app = record.deployment .. " - " .. module
  end
  record.index_prefix = is_workflow and "ballerina-workflow-metrics"
    or is_metric and "ballerina-metrics-logs"
    or "ballerina-application-logs"
  if is_metric then
    local group = record["http.status_code_group"]
    record.response_time = record.response_time_seconds and math.floor(record.response_time_seconds * 1000 + 0.5)
    record.status = (group == "4xx" or group == "5xx") and "failed" or "successful"
    record.protocol = record.protocol or "Unknown"
    record.integration = record["src.main"] == "true" and "main" or record["src.object.name"]
    record.sublevel = record["entrypoint.function.name"]
    record.method, record.url, record.status_code_group = record["http.method"], record["http.url"], group
  end
  return record
end

-- ------------------------------------------------------------------ what Fluent Bit calls

local function called(read)
  return function(_, _, before)
    local record, when = read(before)
    if when then
      return 1, when, record
    end
    return 2, 0, record
  end
end

read_bi, read_mi, read_mi_analytics = called(M.bi), called(M.mi), called(M.mi_analytics)

function for_opensearch(tag, when, record)
  return 2, 0, M.opensearch(tag, when, record)
end

return M
