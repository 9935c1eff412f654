using System.Diagnostics.CodeAnalysis;
using Overlay.Gossip.Wire;

namespace Overlay.Gossip.Serf;

/// <summary>The answer to a key query.</summary>
/// <param name="Done">What was asked holds now.</param>
/// <param name="Keys">In base64, of <see cref="KeyQuestion.List"/> alone.</param>
public sealed record KeyAnswer(bool Done, IReadOnlyList<string> Keys)
{
    private const int MaxKeys = 64;
    private const int MaxText = 1024;

    /// <summary>False: it is no such answer, or breaks a bound.</summary>
    public static bool TryRead(ReadOnlySpan<byte> payload, [NotNullWhen(true)] out KeyAnswer? answer)
    {
        answer = null;
        if (payload is not [(byte)SerfType.KeyResponse, .. var map])
        {
            return false;
        }

        MsgPackReader reader = new(map);
        bool done = false;
        List<string> keys = [];
        int count = reader.ReadMapHeader();
        for (int i = 0; i < count && !reader.Failed; i++)
        {
            ReadOnlySpan<byte> key = reader.ReadRaw();
            if (key.SequenceEqual("Result"u8))
            {
                done = reader.ReadBool();
            }
            else if (key.SequenceEqual("Keys"u8) && !reader.TryReadNil())
            {
                int held = reader.ReadArrayHeader();
                for (int k = 0; k < held && !reader.Failed; k++)
                {
                    keys.Add(reader.ReadString(MaxText));
                    if (keys.Count > MaxKeys)
                    {
                        return false;
                    }
                }
            }
            else if (!key.SequenceEqual("Keys"u8))
            {
                reader.Skip();
            }
        }

        answer = reader.Failed ? null : new(done, keys);
        return answer is not null;
    }
}
