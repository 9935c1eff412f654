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
    [InlineData("table inet overlayd {\n\tmap x {\n\t}\n}\n")]
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

    private const string Known = """
        table inet overlayd {
        	chain a {
        		ip saddr @known goto b
        		meta l4proto tcp ct timeout set "a.tcp"
        	}

        	chain b {
        		accept
        	}

        	ct timeout a.tcp {
        		protocol tcp
        		l3proto ip
        		policy = { established : 300 }
        	}

        	set known {
        		type ipv4_addr
        		flags dynamic,timeout
        		timeout 10m
        	}
        }

        """;

    [Fact]
    public void A_set_stays_where_it_is_to_be_as_it_was_however_much_else_differs()
    {
        const string Hook = "\tchain hook {\n\t\ttype nat hook output priority -85; policy accept;\n\t\tgoto a\n\t}\n\n";
        string hooked = Known.Replace("\tct timeout", Hook + "\tct timeout", StringComparison.Ordinal)
            .Replace("accept\n", "drop\n", StringComparison.Ordinal).Replace("@known goto b", "@known goto hook", StringComparison.Ordinal);
        Assert.Equal(
            """
            add chain inet overlayd hook { type nat hook output priority -85; policy accept; }
            flush chain inet overlayd a
            flush chain inet overlayd b
            add rule inet overlayd hook goto a
            add rule inet overlayd a ip saddr @known goto hook
            add rule inet overlayd a meta l4proto tcp ct timeout set "a.tcp"
            add rule inet overlayd b drop

            """,
            NftTableText.Replacement(Known, hooked));
        Assert.StartsWith("flush chain inet overlayd hook\n", NftTableText.Replacement(hooked, Known), StringComparison.Ordinal);
        Assert.EndsWith("delete chain inet overlayd hook\n", NftTableText.Replacement(hooked, Known), StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_replaced_is_left_by_rules_that_stay_the_same()
    {
        string longer = Known.Replace("established : 300", "established : 400", StringComparison.Ordinal);
        Assert.Equal(
            """
            flush chain inet overlayd a
            delete ct timeout inet overlayd a.tcp
            add ct timeout inet overlayd a.tcp { protocol tcp; l3proto ip; policy = { established : 400 }; }
            add rule inet overlayd a ip saddr @known goto b
            add rule inet overlayd a meta l4proto tcp ct timeout set "a.tcp"

            """,
            NftTableText.Replacement(Known, longer));
        // Room for more makes the whole longer.
        string room = Known.Replace("chain b", "chain c {\n\t\tdrop\n\t}\n\n\tchain d {\n\t\tdrop\n\t}\n\n\tchain b", StringComparison.Ordinal);
        room = NftTableText.Sorted(room);
        string without = room[..room.IndexOf("\n\tset", StringComparison.Ordinal)]
            .Replace("\t\tip saddr @known goto b\n", "", StringComparison.Ordinal) + "}\n";
        Assert.EndsWith("delete set inet overlayd known\n", NftTableText.Replacement(room, without), StringComparison.Ordinal);
    }

    [Fact]
    public void All_of_it_is_where_much_differs_or_a_hook_moves()
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
