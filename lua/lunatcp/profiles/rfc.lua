-- The engine's own defaults, as the RFCs recommend them. No command means anything.
return { name = "rfc", base = "rfc" }
