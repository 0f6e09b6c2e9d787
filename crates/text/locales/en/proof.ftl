# What a vendor has proven of the way back from a version.
proof-from = Way back proven from { $versions } on { $databases }.
proof-how = The vendor broke this update off { $rounds ->
    [one] once
   *[other] { $rounds } times
 }, each time at another moment. Afterwards everything was as before, or the new version was there in full; never anything between.
proof-not-from = Not proven from { $installed }, the version that you have.
proof-none = The vendor has not proven the way back from this version. It works as it always does; a rehearsal tries it on your own data.
