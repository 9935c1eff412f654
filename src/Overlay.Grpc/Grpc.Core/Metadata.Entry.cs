using System.Buffers;
using System.Text;

namespace Grpc.Core;

public sealed partial class Metadata
{
    /// <summary>One header: a key, and either text or bytes.</summary>
    public class Entry
    {
        private static readonly SearchValues<char> s_keyCharacters =
            SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789._-");

        private readonly string? _text;
        private readonly byte[]? _bytes;

        public Entry(string key, string value)
        {
            ArgumentNullException.ThrowIfNull(value);
            Key = NormalizeKey(key);
            if (IsBinary)
            {
                throw new ArgumentException(
                    $"The key '{Key}' ends in {BinaryHeaderSuffix}, so its value must be bytes.", nameof(value));
            }

            _text = value;
        }

        public Entry(string key, byte[] valueBytes)
        {
            ArgumentNullException.ThrowIfNull(valueBytes);
            Key = NormalizeKey(key);
            if (!IsBinary)
            {
                throw new ArgumentException(
                    $"The key '{Key}' must end in {BinaryHeaderSuffix} to carry bytes.", nameof(valueBytes));
            }

            // The caller keeps its array, and may reuse it.
            _bytes = [.. valueBytes];
        }

        public string Key { get; }

        public bool IsBinary => Key.EndsWith(BinaryHeaderSuffix, StringComparison.Ordinal);

        public string Value => _text
            ?? throw new InvalidOperationException($"The value of '{Key}' is binary; read ValueBytes.");

        public byte[] ValueBytes => _bytes is null ? Encoding.ASCII.GetBytes(_text!) : [.. _bytes];

        internal ReadOnlySpan<byte> BinaryValue => _bytes;

        public override string ToString() =>
            _bytes is null ? $"[Entry: key={Key}, value={_text}]" : $"[Entry: key={Key}, {_bytes.Length} bytes]";

        /// <summary>Whether a key may appear on the wire; what a peer sends otherwise is left out.</summary>
        internal static bool IsValidKey(ReadOnlySpan<char> key) =>
            !key.IsEmpty && !key.ContainsAnyExcept(s_keyCharacters);

        private static string NormalizeKey(string key)
        {
            ArgumentNullException.ThrowIfNull(key);
#pragma warning disable CA1308 // HTTP/2 header names are lower-case (RFC 9113, 8.2.1).
            string lower = key.ToLowerInvariant();
#pragma warning restore CA1308
            return IsValidKey(lower)
                ? lower
                : throw new ArgumentException(
                    $"The metadata key '{key}' may hold only letters, digits, '.', '_' and '-'.", nameof(key));
        }
    }
}
