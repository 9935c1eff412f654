using System.Buffers;
using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using Overlay.Gossip.Wire;

namespace Overlay.Gossip.Coordinates;

/// <summary>
/// A coordinate as acks carry it. To foreigners as serf writes it: a version byte and a MessagePack map, 130 bytes. To
/// ours as eleven half-precision numbers: an ack goes out every second, and a thousandth is far below what is measured.
/// </summary>
internal static class CoordinatePayload
{
    private const byte Version = 1;
    private const byte ShortVersion = 2;
    private const int Numbers = Coordinate.Dimensions + 3;
    private const double PerSecond = 1000;

    public const int ShortBytes = 1 + (2 * Numbers);

    public static byte[] Encode(Coordinate coordinate)
    {
        ArrayBufferWriter<byte> output = new(144);
        Encode(new Place(coordinate), output);
        return output.WrittenSpan.ToArray();
    }

    public static void Encode(Place coordinate, ArrayBufferWriter<byte> output)
    {
        output.Write([Version]);
        MsgPackWriter writer = new(output);
        writer.MapHeader(4);
        writer.Key("Adjustment"u8);
        writer.Double(coordinate.Adjustment);
        writer.Key("Error"u8);
        writer.Double(coordinate.Error);
        writer.Key("Height"u8);
        writer.Double(coordinate.Height);
        writer.Key("Vec"u8);
        writer.ArrayHeader(coordinate.Vector.Length);
        foreach (double component in coordinate.Vector)
        {
            writer.Double(component);
        }
    }

    /// <summary>In milliseconds, but for the error; as serf writes it where that is beyond half precision.</summary>
    public static byte[] EncodeShort(Coordinate coordinate)
    {
        byte[] payload = new byte[ShortBytes];
        return TryEncodeShort(new(coordinate), payload) ? payload : Encode(coordinate);
    }

    /// <summary>False: it is beyond half precision.</summary>
    public static bool TryEncodeShort(Place coordinate, Span<byte> payload)
    {
        payload[0] = ShortVersion;
        for (int i = 0; i < Numbers; i++)
        {
            Half half = (Half)(i switch
            {
                0 => coordinate.Error,
                1 => coordinate.Adjustment * PerSecond,
                2 => coordinate.Height * PerSecond,
                _ => coordinate.Vector[i - 3] * PerSecond,
            });
            if (!Half.IsFinite(half))
            {
                return false;
            }

            BinaryPrimitives.WriteHalfBigEndian(payload[(1 + (2 * i))..], half);
        }

        return true;
    }

    /// <summary>False: it is none, of other dimensions, or has numbers that are none.</summary>
    public static bool TryDecode(ReadOnlySpan<byte> payload, [NotNullWhen(true)] out Coordinate? coordinate)
    {
        Place place = new(Coordinate.Origin);
        coordinate = TryDecode(payload, place) ? place.ToCoordinate() : null;
        return coordinate is not null;
    }

    /// <summary>As above; what is left in the place where it is false means nothing.</summary>
    public static bool TryDecode(ReadOnlySpan<byte> payload, Place place)
    {
        if (payload is [ShortVersion, .. var halves])
        {
            return TryDecodeShort(halves, place);
        }

        if (payload is not [Version, .. var map])
        {
            return false;
        }

        MsgPackReader reader = new(map);
        (place.Adjustment, place.Error, place.Height) = (0, 0, 0);
        bool hasVector = false;
        int count = reader.ReadMapHeader();
        for (int i = 0; i < count && !reader.Failed; i++)
        {
            ReadOnlySpan<byte> key = reader.ReadRaw();
            if (key.SequenceEqual("Adjustment"u8))
            {
                place.Adjustment = reader.ReadDouble();
            }
            else if (key.SequenceEqual("Error"u8))
            {
                place.Error = reader.ReadDouble();
            }
            else if (key.SequenceEqual("Height"u8))
            {
                place.Height = reader.ReadDouble();
            }
            else if (key.SequenceEqual("Vec"u8))
            {
                hasVector = TryReadVector(ref reader, place.Vector);
            }
            else
            {
                reader.Skip();
            }
        }

        return !reader.Failed && hasVector && place.IsUsable;
    }

    private static bool TryDecodeShort(ReadOnlySpan<byte> halves, Place place)
    {
        if (halves.Length != 2 * Numbers)
        {
            return false;
        }

        static double Milliseconds(ReadOnlySpan<byte> half) => (double)BinaryPrimitives.ReadHalfBigEndian(half) / PerSecond;
        place.Error = (double)BinaryPrimitives.ReadHalfBigEndian(halves);
        place.Adjustment = Milliseconds(halves[2..]);
        place.Height = Milliseconds(halves[4..]);
        for (int i = 0; i < Coordinate.Dimensions; i++)
        {
            place.Vector[i] = Milliseconds(halves[(6 + (2 * i))..]);
        }

        return place.IsUsable;
    }

    private static bool TryReadVector(ref MsgPackReader reader, Span<double> vector)
    {
        int length = reader.ReadArrayHeader();
        if (length != vector.Length)
        {
            return false;
        }

        for (int i = 0; i < length; i++)
        {
            vector[i] = reader.ReadDouble();
        }

        return true;
    }
}
