using Overlay.Dataplane;

namespace Overlay.Tests.Dataplane;

/// <summary>Tables as text: their order, and what is done where little changes.</summary>
public sealed class NftTableTextTests
{
    private const string Table = """
        table inet overlayd {
        	chain a {
        		accept
        	}

        	chain b {
        		goto a
        	}

        	chain hook {
        		type nat hook output priority -85; policy accept;
        		goto b
        	}

        	chain z {
        		drop
        	}
        }

        """;

    [Theory]
    [InlineData("")]
    [InlineData("table inet other {\n}\n")]
    [InlineData("table inet overlayd {\n\tset x {\n\t}\n}\n")]
    [InlineData("table inet overlayd {\n\tchain x {\n")]
    public void What_is_no_table_of_chains_stays_as_it_is_and_is_replaced_whole(string text)
    {
        Assert.Equal(text, NftTableText.Sorted(text));
        Assert.Equal(NftTableText.Whole(Table), NftTableText.Replacement(text, Table));
        Assert.Equal(NftTableText.Whole(text), NftTableText.Replacement(Table, text));
    }

    [Fact]
    public void Chains_are_in_the_order_of_their_names()
    {
        string swapped = Table.Replace("chain z", "chain 0", StringComparison.Ordinal);
        string sorted = NftTableText.Sorted(swapped);
        Assert.StartsWith("table inet overlayd {\n\tchain 0 {\n\t\tdrop\n\t}\n\n\tchain a {\n", sorted, StringComparison.Ordinal);
        Assert.EndsWith("\t\tgoto b\n\t}\n}\n", sorted, StringComparison.Ordinal);
        Assert.Equal(sorted, NftTableText.Sorted(sorted));
        Assert.Equal(Table, NftTableText.Sorted(Table));
        Assert.Equal("table inet overlayd {\n}\n", NftTableText.Sorted("table inet overlayd {\n}\n"));
    }

    [Fact]
    public void Only_what_differs_is_done()
    {
        Assert.Equal("", NftTableText.Replacement(Table, Table));
        Assert.Equal(
            "flush chain inet overlayd z\nadd rule inet overlayd z accept\n",
            NftTableText.Replacement(Table, Table.Replace("drop", "accept", StringComparison.Ordinal)));
        Assert.Equal(
            "add chain inet overlayd y\nflush chain inet overlayd z\nadd rule inet overlayd y drop\ndelete chain inet overlayd z\n",
            NftTableText.Replacement(Table, Table.Replace("chain z", "chain y", StringComparison.Ordinal)));
    }

    [Fact]
    public void All_of_it_is_where_much_differs_or_a_hook()
    {
        foreach (string after in new[]
        {
            Table.Replace("-85", "-84", StringComparison.Ordinal),
            Table.Replace("accept\n", "drop\n", StringComparison.Ordinal).Replace("goto", "jump", StringComparison.Ordinal),
        })
        {
            Assert.Equal(NftTableText.Whole(after), NftTableText.Replacement(Table, after));
        }

        Assert.Equal(NftTableText.Whole(Table), NftTableText.Replacement(null, Table));
    }
}
