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

    public static byte[] Encode(Coordinate coordinate)
    {
        ArrayBufferWriter<byte> output = new(144);
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

        return output.WrittenSpan.ToArray();
    }

    /// <summary>In milliseconds, but for the error; as serf writes it where that is beyond half precision.</summary>
    public static byte[] EncodeShort(Coordinate coordinate)
    {
        byte[] payload = new byte[1 + (2 * Numbers)];
        payload[0] = ShortVersion;
        double[] numbers =
        [
            coordinate.Error,
            coordinate.Adjustment * PerSecond,
            coordinate.Height * PerSecond,
            .. coordinate.Vector.Select(static v => v * PerSecond),
        ];
        for (int i = 0; i < Numbers; i++)
        {
            Half half = (Half)numbers[i];
            if (!Half.IsFinite(half))
            {
                return Encode(coordinate);
            }

            BinaryPrimitives.WriteHalfBigEndian(payload.AsSpan(1 + (2 * i)), half);
        }

        return payload;
    }

    /// <summary>False: it is none, of other dimensions, or has numbers that are none.</summary>
    public static bool TryDecode(ReadOnlySpan<byte> payload, [NotNullWhen(true)] out Coordinate? coordinate)
    {
        coordinate = null;
        if (payload is [ShortVersion, .. var halves])
        {
            return TryDecodeShort(halves, out coordinate);
        }

        if (payload is not [Version, .. var map])
        {
            return false;
        }

        MsgPackReader reader = new(map);
        double adjustment = 0;
        double error = 0;
        double height = 0;
        double[] vector = [];
        int count = reader.ReadMapHeader();
        for (int i = 0; i < count && !reader.Failed; i++)
        {
            ReadOnlySpan<byte> key = reader.ReadRaw();
            if (key.SequenceEqual("Adjustment"u8))
            {
                adjustment = reader.ReadDouble();
            }
            else if (key.SequenceEqual("Error"u8))
            {
                error = reader.ReadDouble();
            }
            else if (key.SequenceEqual("Height"u8))
            {
                height = reader.ReadDouble();
            }
            else if (key.SequenceEqual("Vec"u8))
            {
                vector = ReadVector(ref reader);
            }
            else
            {
                reader.Skip();
            }
        }

        coordinate = new([.. vector], error, adjustment, height);
        if (reader.Failed || vector.Length != Coordinate.Dimensions || !coordinate.IsUsable)
        {
            coordinate = null;
        }

        return coordinate is not null;
    }

    private static bool TryDecodeShort(ReadOnlySpan<byte> halves, out Coordinate? coordinate)
    {
        coordinate = null;
        if (halves.Length != 2 * Numbers)
        {
            return false;
        }

        Span<double> numbers = stackalloc double[Numbers];
        for (int i = 0; i < Numbers; i++)
        {
            numbers[i] = (double)BinaryPrimitives.ReadHalfBigEndian(halves[(2 * i)..]) / (i == 0 ? 1 : PerSecond);
        }

        coordinate = new([.. numbers[3..]], numbers[0], numbers[1], numbers[2]);
        coordinate = coordinate.IsUsable ? coordinate : null;
        return coordinate is not null;
    }

    private static double[] ReadVector(ref MsgPackReader reader)
    {
        int length = reader.ReadArrayHeader();
        if (length != Coordinate.Dimensions)
        {
            return [];
        }

        double[] vector = new double[length];
        for (int i = 0; i < length; i++)
        {
            vector[i] = reader.ReadDouble();
        }

        return vector;
    }
}
