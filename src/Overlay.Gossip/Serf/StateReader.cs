using Overlay.Gossip.Wire;

namespace Overlay.Gossip.Serf;

/// <summary>The map of a push/pull's serf state.</summary>
internal static class StateReader
{
    public static SerfState Read(ref MsgPackReader reader)
    {
        SerfState state = SerfState.Empty;
        int count = reader.ReadMapHeader();
        for (int i = 0; i < count && !reader.Failed; i++)
        {
            ReadOnlySpan<byte> key = reader.ReadRaw();
            if (key.SequenceEqual("LTime"u8))
            {
                state = state with { Time = Time(ref reader) };
            }
            else if (key.SequenceEqual("EventLTime"u8))
            {
                state = state with { EventTime = Time(ref reader) };
            }
            else if (key.SequenceEqual("QueryLTime"u8))
            {
                state = state with { QueryTime = Time(ref reader) };
            }
            else if (key.SequenceEqual("StatusLTimes"u8))
            {
                state = state with { StatusTimes = StatusTimes(ref reader) };
            }
            else if (key.SequenceEqual("LeftMembers"u8))
            {
                state = state with { Left = Names(ref reader) };
            }
            else if (key.SequenceEqual("Events"u8))
            {
                state = state with { Events = Events(ref reader) };
            }
            else
            {
                reader.Skip();
            }
        }

        return state;
    }

    private static ulong Time(ref MsgPackReader reader) => Math.Min(reader.ReadUnsigned(), SerfLimits.MaxTime);

    private static List<KeyValuePair<string, ulong>> StatusTimes(ref MsgPackReader reader)
    {
        List<KeyValuePair<string, ulong>> times = [];
        int count = reader.ReadMapHeader();
        for (int i = 0; i < count && !reader.Failed; i++)
        {
            string name = reader.ReadString(WireLimits.MaxName);
            times.Add(new(name, Time(ref reader)));
        }

        return times;
    }

    private static List<string> Names(ref MsgPackReader reader)
    {
        List<string> names = [];
        int count = reader.ReadArrayHeader();
        for (int i = 0; i < count && !reader.Failed; i++)
        {
            names.Add(reader.ReadString(WireLimits.MaxName));
        }

        return names;
    }

    /// <summary>An array with a place for each tick of the window, most of them nil.</summary>
    private static List<SerfMessage.Event> Events(ref MsgPackReader reader)
    {
        List<SerfMessage.Event> events = [];
        int ticks = reader.ReadArrayHeader();
        for (int i = 0; i < ticks && !reader.Failed; i++)
        {
            if (!reader.TryReadNil())
            {
                Tick(ref reader, events);
            }
        }

        return events;
    }

    private static void Tick(ref MsgPackReader reader, List<SerfMessage.Event> events)
    {
        int first = events.Count;
        ulong time = 0;
        int fields = reader.ReadMapHeader();
        for (int i = 0; i < fields && !reader.Failed; i++)
        {
            ReadOnlySpan<byte> key = reader.ReadRaw();
            if (key.SequenceEqual("LTime"u8))
            {
                time = Time(ref reader);
            }
            else if (key.SequenceEqual("Events"u8))
            {
                int count = reader.ReadArrayHeader();
                for (int n = 0; n < count && !reader.Failed; n++)
                {
                    events.Add(One(ref reader));
                }
            }
            else
            {
                reader.Skip();
            }
        }

        // The time follows its events.
        for (int n = first; n < events.Count; n++)
        {
            events[n] = events[n] with { Time = time };
        }
    }

    private static SerfMessage.Event One(ref MsgPackReader reader)
    {
        string name = "";
        byte[] payload = [];
        int fields = reader.ReadMapHeader();
        for (int i = 0; i < fields && !reader.Failed; i++)
        {
            ReadOnlySpan<byte> key = reader.ReadRaw();
            if (key.SequenceEqual("Name"u8))
            {
                name = reader.ReadString(WireLimits.MaxName);
            }
            else if (key.SequenceEqual("Payload"u8))
            {
                payload = reader.ReadBytes(SerfLimits.MaxEventBytes);
            }
            else
            {
                reader.Skip();
            }
        }

        return new(0, name, payload, false);
    }
}
