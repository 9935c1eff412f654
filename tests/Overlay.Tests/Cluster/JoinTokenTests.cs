using System.Security.Cryptography;
using System.Text;
using Overlay.Cluster;
using Overlay.Cluster.Trust;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Tests.Cluster;

public class JoinTokenTests
{
    private static readonly byte[] Root = Encoding.UTF8.GetBytes("root certificate");
    private static readonly byte[] Secret = [.. Enumerable.Range(0, 16).Select(i => (byte)i)];

    [Fact]
    public void A_token_round_trips()
    {
        JoinToken token = JoinToken.For(Root, Secret);
        string text = token.Format();
        Assert.Matches("^OVTKN-1-[a-z2-7]{52}-[a-z2-7]{26}$", text);
        JoinToken parsed = JoinToken.Parse($" {text}\n").Value;
        Assert.Equal(Secret, parsed.Secret.ToArray());
        Assert.True(parsed.Matches(Root));
        Assert.False(parsed.Matches("another root"u8));
        Assert.Equal(text, parsed.Format());
    }

    [Fact]
    public void Its_everyday_text_holds_no_secret()
    {
        JoinToken token = JoinToken.For(Root, Secret);
        string secret = token.Format().Split('-')[3];
        Assert.DoesNotContain(secret, token.ToString(), StringComparison.Ordinal);
        string refusal = JoinToken.Parse(token.Format() + "x").Refusal!.ToString();
        Assert.DoesNotContain(secret, refusal, StringComparison.Ordinal);
    }

    [Fact]
    public void Base32_agrees_with_RFC_4648()
    {
        (string Text, string Encoded)[] vectors =
        [
            ("", ""), ("f", "my"), ("fo", "mzxq"), ("foo", "mzxw6"), ("foob", "mzxw6yq"), ("fooba", "mzxw6ytb"),
            ("foobar", "mzxw6ytboi"),
        ];
        foreach ((string text, string encoded) in vectors)
        {
            byte[] bytes = Encoding.ASCII.GetBytes(text);
            Assert.Equal(encoded, Base32.Format(bytes));
            byte[] read = new byte[bytes.Length];
            Assert.True(Base32.TryParse(encoded, read));
            Assert.Equal(bytes, read);
        }

        Assert.False(Base32.TryParse("mz", new byte[1]));
    }

    [Fact]
    public void Broken_tokens_say_what_is_wrong()
    {
        string text = JoinToken.For(Root, Secret).Format();
        string[] parts = text.Split('-');
        void Invalid(string? broken, string fragment) =>
            World.Refused(JoinToken.Parse(broken), RefusalKind.Invalid, fragment, "token show");

        Invalid(null, "empty");
        Invalid("  ", "empty");
        Invalid(new string('a', 300), "longer");
        Invalid("SWMTKN-1-abc-def", "begins with OVTKN-1-");
        Invalid(text.Replace("-1-", "-2-", StringComparison.Ordinal), "version '2'");
        Invalid("OVTKN", "1 parts");
        Invalid($"OVTKN-1-{parts[2]}", "3 parts");
        Invalid($"OVTKN-1-{parts[2][1..]}-{parts[3]}", "third part has 51 characters instead of 52");
        Invalid(text[..^1], "fourth part has 25 characters instead of 26");
        Invalid(text.ToUpperInvariant(), "made of a-z and 2-7");
        Invalid(text[..^1] + "0", "fourth part holds");
        Invalid(text[..^1] + "b", "fourth part holds");
    }

    [Fact]
    public void Mutated_tokens_never_throw()
    {
        string text = JoinToken.For(Root, Secret).Format();
        Prng prng = new(3);
        for (int i = 0; i < 5000; i++)
        {
            char[] broken = text[..prng.Next(text.Length + 1)].ToCharArray();
            if (broken.Length > 0)
            {
                broken[prng.Next(broken.Length)] = (char)prng.Next(256);
            }

            Outcome<JoinToken> outcome = JoinToken.Parse(new(broken));
            Assert.True(outcome.IsRefused || outcome.Value.Format().Length == text.Length);
        }
    }

    [Fact]
    public void The_proof_is_the_formula_of_the_contract()
    {
        byte[] challenge = [.. Enumerable.Repeat((byte)7, 32)];
        byte[] request = [1, 2, 3];
        byte[] message = [.. "overlayd join v1"u8, .. challenge, .. SHA256.HashData(request)];
        byte[] expected = HMACSHA256.HashData(Secret, message);
        Assert.Equal(expected, JoinProof.Compute(Secret, challenge, request));
    }

    [Fact]
    public void A_proof_gives_the_role_of_its_secret_for_that_challenge_and_request_only()
    {
        ClusterObject cluster = new() { WorkerSecret = World.Bytes(16, 1), ManagerSecret = World.Bytes(16, 2) };
        byte[] challenge = [.. Enumerable.Repeat((byte)7, 32)];
        byte[] request = [1, 2, 3];
        NodeRole Role(byte[] proof) => JoinProof.RoleOf(cluster, challenge, request, proof);

        Assert.Equal(NodeRole.Worker, Role(JoinProof.Compute(cluster.WorkerSecret.Span, challenge, request)));
        Assert.Equal(NodeRole.Manager, Role(JoinProof.Compute(cluster.ManagerSecret.Span, challenge, request)));
        Assert.Equal(NodeRole.Unspecified, Role(JoinProof.Compute(Secret, challenge, request)));
        Assert.Equal(NodeRole.Unspecified, Role(JoinProof.Compute(cluster.WorkerSecret.Span, challenge, [1, 2])));
        byte[] otherChallenge = [.. Enumerable.Repeat((byte)8, 32)];
        Assert.Equal(NodeRole.Unspecified, Role(JoinProof.Compute(cluster.WorkerSecret.Span, otherChallenge, request)));
        Assert.Equal(NodeRole.Unspecified, Role([]));
        byte[] ofNoSecret = JoinProof.Compute([], challenge, request);
        Assert.Equal(NodeRole.Unspecified, JoinProof.RoleOf(new(), challenge, request, ofNoSecret));
    }
}
