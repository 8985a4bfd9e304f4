"""The rows of PubMed citations, extracted with plain lxml, as SQLite stores them."""

import re
from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path

from lxml import etree

Element = etree._Element
Stored = str | int | None
Rows = list[dict[str, Stored]]

NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
MONTHS = {name: number for number, name in enumerate(NAMES, 1)}


def own_text(element: Element | None) -> str | None:
    return (" ".join("".join(map(str, element.itertext())).split()) or None) if element is not None else None


def text(element: Element | None, path: str) -> str | None:
    return None if element is None else own_text(element.find(path))


def attribute(element: Element | None, path: str, name: str) -> str | None:
    found = None if element is None else element.find(path)
    return None if found is None else found.get(name)


def whole(value: str | None) -> int | None:
    return int(value) if value else None


def yes(value: str | None) -> int | None:
    return {"Y": 1, "N": 0, None: None}[value]


def month_of(value: str | None) -> int | None:
    return None if value is None else MONTHS.get(value.lower()) or int(value)


def day_of(element: Element | None, otherwise: int | None = None) -> str | None:
    parts = [whole(text(element, "Year")), month_of(text(element, "Month")), whole(text(element, "Day"))]
    year, month, day = parts[0], *(each if each is not None else otherwise for each in parts[1:])
    return date(year, month, day).isoformat() if year and month and day else None


def newest(paths: Iterable[Path]) -> tuple[dict[str, Element], dict[str, str]]:
    """Return the newest revision of each article by PMID, and its file; later files come later in `paths`."""
    articles: dict[str, tuple[int, Element | None, str]] = {}
    for path in paths:
        for element in etree.parse(path).getroot().iter("PubmedArticle", "DeleteCitation"):
            deletes = element.tag == "DeleteCitation"
            for pmid in element.findall("PMID" if deletes else "MedlineCitation/PMID"):
                version = int(pmid.get("Version") or 1)
                if version >= articles.get(str(pmid.text), (0, None, ""))[0]:
                    articles[str(pmid.text)] = (version, None if deletes else element, path.name)
    kept = {pmid: (element, name) for pmid, (_, element, name) in articles.items() if element is not None}
    return {pmid: element for pmid, (element, _) in kept.items()}, {pmid: name for pmid, (_, name) in kept.items()}


def extract(article: Element, source_file: str) -> dict[str, Rows]:
    """Return the rows of an article by table."""
    citation = article.find("MedlineCitation")
    assert citation is not None
    pmid = whole(text(citation, "PMID"))
    tables: dict[str, Rows] = {"article": [{"pmid": pmid, **head(article, citation), "source_file": source_file}]}

    def rows(table: str, number: str, of: Iterable[dict[str, Stored]]) -> None:
        tables[table] = [{"pmid": pmid, number: position, **row} for position, row in enumerate(of, 1)]

    sections = [("abstract", each) for each in citation.findall("Article/Abstract/AbstractText")] + [
        ("other", each) for each in citation.findall("OtherAbstract/AbstractText")
    ]
    rows("abstract_section", "section_no", (section(kind, each) for kind, each in sections))
    tables["abstract_section"] = [row for row in tables["abstract_section"] if row["text"]]
    people = [("author", each) for each in citation.findall("Article/AuthorList/Author")]
    people += [("investigator", each) for each in citation.findall("InvestigatorList/Investigator")]
    rows("author", "author_no", (person(kind, each) for kind, each in people))
    tables["affiliation"] = [
        {"pmid": pmid, "author_no": author_no, "affiliation_no": number, **affiliation(each)}
        for author_no, (_, one) in enumerate(people, 1)
        for number, each in enumerate(one.findall("AffiliationInfo"), 1)
    ]
    headings = citation.findall("MeshHeadingList/MeshHeading")
    rows("mesh_heading", "heading_no", map(heading, headings))
    tables["mesh_qualifier"] = [
        {
            "pmid": pmid,
            "heading_no": heading_no,
            "qualifier_no": number,
            "ui": each.get("UI"),
            "qualifier": own_text(each),
            "is_major": yes(each.get("MajorTopicYN")),
        }
        for heading_no, one in enumerate(headings, 1)
        for number, each in enumerate(one.findall("QualifierName"), 1)
    ]
    rows("chemical", "chemical_no", map(chemical, citation.findall("ChemicalList/Chemical")))
    rows("keyword", "keyword_no", map(keyword, citation.findall("KeywordList/Keyword")))
    tables["keyword"] = [row for row in tables["keyword"] if row["keyword"]]
    types = citation.findall("Article/PublicationTypeList/PublicationType")
    rows("publication_type", "type_no", ({"ui": each.get("UI"), "type": own_text(each)} for each in types))
    rows("funding", "grant_no", map(grant, citation.findall("Article/GrantList/Grant")))
    rows("accession", "accession_no", accessions(citation))
    rows("article_identifier", "identifier_no", map(identifier, article.findall("PubmedData/ArticleIdList/ArticleId")))
    rows("event", "event_no", map(event, article.findall("PubmedData/History/PubMedPubDate")))
    relations = citation.findall("CommentsCorrectionsList/CommentsCorrections")
    rows("related_citation", "relation_no", map(relation, relations))
    rows("reference", "reference_no", map(reference, article.findall("PubmedData/ReferenceList//Reference")))
    return tables


def head(record: Element, citation: Element) -> dict[str, Stored]:
    article, info = citation.find("Article"), citation.find("MedlineJournalInfo")
    assert article is not None
    journal, issue = article.find("Journal"), article.find("Journal/JournalIssue")
    published = article.find("Journal/JournalIssue/PubDate")
    written = text(published, "MedlineDate")
    parts = [text(published, name) for name in ("Year", "Month", "Day", "Season")]
    year = re.search(r"\b\d{4}\b", written or "")
    stated = dict(zip(("year", "month", "day", "season"), parts, strict=True))
    precision = next((name for name in ("day", "month", "season", "year") if stated[name]), None)
    locations = article.findall("ELocationID[@EIdType='doi']")
    located = [own_text(each) for each in locations if each.get("ValidYN") != "N"]
    return {
        "pmid_version": whole(attribute(citation, "PMID", "Version")),
        "status": citation.get("Status"),
        "owner": citation.get("Owner"),
        "indexing_method": citation.get("IndexingMethod"),
        "completed": day_of(citation.find("DateCompleted")),
        "revised": day_of(citation.find("DateRevised")),
        "nlm_unique_id": text(info, "NlmUniqueID"),
        "issn": text(journal, "ISSN"),
        "issn_type": attribute(journal, "ISSN", "IssnType"),
        "issn_linking": text(info, "ISSNLinking"),
        "journal_title": text(journal, "Title"),
        "journal_abbreviation": text(journal, "ISOAbbreviation"),
        "medline_ta": text(info, "MedlineTA"),
        "journal_country": text(info, "Country"),
        "medium": None if issue is None else issue.get("CitedMedium"),
        "volume": text(issue, "Volume"),
        "issue": text(issue, "Issue"),
        "published_text": written or " ".join(filter(None, parts)),
        "published_year": whole(parts[0]) or (int(year[0]) if year else None),
        "published_from": day_of(published, 1),
        "published_precision": precision,
        "electronic": day_of(article.find("ArticleDate")),
        "publication_model": article.get("PubModel"),
        "publication_status": text(record, "PubmedData/PublicationStatus"),
        "title": text(article, "ArticleTitle"),
        "vernacular_title": text(article, "VernacularTitle"),
        "languages": " ".join(filter(None, map(own_text, article.findall("Language")))) or None,
        "pages": text(article, "Pagination/MedlinePgn"),
        "start_page": text(article, "Pagination/StartPage"),
        "end_page": text(article, "Pagination/EndPage"),
        "doi": located[0] if located else text(record, "PubmedData/ArticleIdList/ArticleId[@IdType='doi']"),
        "pmc_id": text(record, "PubmedData/ArticleIdList/ArticleId[@IdType='pmc']"),
        "authors_complete": yes(attribute(article, "AuthorList", "CompleteYN")),
        "copyright": text(article, "Abstract/CopyrightInformation"),
        "conflict_statement": text(citation, "CoiStatement"),
        "reference_count": whole(text(citation, "NumberOfReferences")),
    }


def section(kind: str, element: Element) -> dict[str, Stored]:
    around = element.getparent()
    assert around is not None
    return {
        "kind": kind,
        "type": around.get("Type"),
        "language": around.get("Language"),
        "label": element.get("Label"),
        "category": element.get("NlmCategory"),
        "text": own_text(element),
    }


def person(kind: str, element: Element) -> dict[str, Stored]:
    orcid, around = text(element, "Identifier[@Source='ORCID']"), element.getparent()
    assert around is not None
    return {
        "kind": kind,
        "list_type": around.get("Type"),
        "last_name": text(element, "LastName"),
        "fore_name": text(element, "ForeName"),
        "initials": text(element, "Initials"),
        "suffix": text(element, "Suffix"),
        "collective_name": text(element, "CollectiveName"),
        "orcid": orcid and orcid.upper().rpartition("/")[2],
        "is_valid": yes(element.get("ValidYN")),
        "contributed_equally": yes(element.get("EqualContrib")),
    }


def affiliation(element: Element) -> dict[str, Stored]:
    pairs = [f"{each.get('Source')}:{own_text(each)}" for each in element.findall("Identifier")]
    return {"affiliation": text(element, "Affiliation"), "identifiers": " ".join(pairs) or None}


def heading(element: Element) -> dict[str, Stored]:
    return {
        "ui": attribute(element, "DescriptorName", "UI"),
        "descriptor": text(element, "DescriptorName"),
        "is_major": yes(attribute(element, "DescriptorName", "MajorTopicYN")),
        "type": attribute(element, "DescriptorName", "Type"),
    }


def chemical(element: Element) -> dict[str, Stored]:
    return {
        "ui": attribute(element, "NameOfSubstance", "UI"),
        "name": text(element, "NameOfSubstance"),
        "registry_number": text(element, "RegistryNumber"),
    }


def keyword(element: Element) -> dict[str, Stored]:
    around = element.getparent()
    assert around is not None
    return {
        "owner": around.get("Owner"),
        "keyword": own_text(element),
        "is_major": yes(element.get("MajorTopicYN")),
    }


def grant(element: Element) -> dict[str, Stored]:
    names = {"grant_id": "GrantID", "acronym": "Acronym", "agency": "Agency", "country": "Country"}
    return {column: text(element, name) for column, name in names.items()}


def accessions(citation: Element) -> Rows:
    return [
        {"data_bank": text(bank, "DataBankName"), "accession_number": own_text(each)}
        for bank in citation.findall("Article/DataBankList/DataBank")
        for each in bank.findall("AccessionNumberList/AccessionNumber")
    ]


def identifier(element: Element) -> dict[str, Stored]:
    return {"type": element.get("IdType"), "identifier": own_text(element)}


def event(element: Element) -> dict[str, Stored]:
    numbers = [int(text(element, name) or 0) for name in ("Year", "Month", "Day", "Hour", "Minute")]
    return {"status": element.get("PubStatus"), "at": datetime(*numbers).isoformat(" ")}  # type: ignore[arg-type]  # noqa: DTZ001


def relation(element: Element) -> dict[str, Stored]:
    return {
        "type": element.get("RefType"),
        "source": text(element, "RefSource"),
        "related_pmid": whole(text(element, "PMID")),
        "note": text(element, "Note"),
    }


def reference(element: Element) -> dict[str, Stored]:
    pmid = text(element, "ArticleIdList/ArticleId[@IdType='pubmed']") or ""
    return {
        "citation": text(element, "Citation"),
        "cited_pmid": int(pmid) if pmid.isdigit() else None,
        "cited_doi": text(element, "ArticleIdList/ArticleId[@IdType='doi']"),
    }
